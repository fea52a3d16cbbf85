import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.MDC;

/**
 * Logs with whatever stands behind SLF4J: Logback, in the tests. Arguments are the name of a logger and how many
 * milliseconds its appender, which sends in the background, needs to be done.
 */
public final class LogbackLog {
  private LogbackLog() {
  }

  public static void main(String[] args) throws Exception {
    Logger log = LoggerFactory.getLogger(args[0]);
    MDC.put("user", "jürgen");
    log.trace("zwei € 😀");
    log.debug("");
    log.info("two\nlines");
    log.warn("number {} of {}", 4, 6);
    MDC.clear();
    log.error("with its trace", new IllegalStateException("boom"));
    log.info("last");
    Thread.sleep(Long.parseLong(args[1]));
    System.out.println("done");
    System.exit(0);
  }
}
