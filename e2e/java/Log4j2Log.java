import java.nio.file.Files;
import java.nio.file.Path;

import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.apache.logging.log4j.MarkerManager;
import org.apache.logging.log4j.ThreadContext;
import org.apache.logging.log4j.message.StringMapMessage;
import org.apache.logging.log4j.message.StructuredDataMessage;

/**
 * Logs with Log4j 2. With the arguments {@code steady}, the name of a logger and a path it logs
 * {@code steady <number>} until there is a file of that path, and prints {@code <number> <number> 200} for each that was
 * logged and {@code <number> <number> 0} for each that threw; then it waits, for what is sent in the background.
 * Otherwise it logs eight messages to each of the loggers that the arguments name.
 */
public final class Log4j2Log {
  private Log4j2Log() {
  }

  public static void main(String[] args) throws Exception {
    if (args[0].equals("steady")) {
      steady(LogManager.getLogger(args[1]), Path.of(args[2]));
    }
    for (String name : args) {
      every(LogManager.getLogger(name));
    }
    System.out.println("done");
    LogManager.shutdown();
    System.exit(0);
  }

  private static void every(Logger log) {
    ThreadContext.put("user", "jürgen");
    ThreadContext.put("secret", "x");
    log.trace("zwei € 😀");
    log.info("");
    log.warn("two\nlines");
    log.error("with its trace", new IllegalStateException("boom"));
    log.fatal(MarkerManager.getMarker("AUDIT"), "number {} of {}", 5, 8);
    ThreadContext.remove("user");
    StructuredDataMessage transfer = new StructuredDataMessage("Transfer@18060", "done", "Audit");
    transfer.put("Amount", "200");
    transfer.put("Note", "a \"quoted\" ]");
    log.log(Level.INFO, transfer);
    StringMapMessage map = new StringMapMessage();
    map.put("color", "grün");
    map.put("size", "9");
    log.info(map);
    log.info("last");
  }

  private static void steady(Logger log, Path end) throws InterruptedException {
    for (int n = 0; !Files.exists(end); n++) {
      int status = 200;
      try {
        log.info("steady " + n);
      } catch (RuntimeException e) {
        status = 0;
        Thread.sleep(5);
      }
      System.out.println(n + " " + n + " " + status);
      Thread.sleep(10);
    }
    Thread.sleep(Long.MAX_VALUE);
  }
}
