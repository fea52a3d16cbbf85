import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

import org.apache.avro.Schema;
import org.apache.avro.SchemaBuilder;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.GenericRecordBuilder;
import org.apache.log4j.LogManager;
import org.apache.log4j.Logger;

/**
 * Logs with Log4j 1. With the arguments {@code steady}, the name of a logger and a path it logs
 * {@code steady <number>} until there is a file of that path, and prints {@code <number> <number> 200} for each that was
 * logged and {@code <number> <number> 0} for each that threw; then it waits, for what is sent in the background.
 * Otherwise it logs one message of every kind to each of the loggers that the arguments name.
 */
public final class Log4j1Log {
  /** What is logged as an object, for Avro's reflection. */
  public static final class Point {
    int x = 3;
    String name = "north";

    @Override
    public String toString() {
      return name + " " + x;
    }
  }

  private Log4j1Log() {
  }

  public static void main(String[] args) throws Exception {
    if (args[0].equals("steady")) {
      steady(Logger.getLogger(args[1]), Path.of(args[2]));
    }
    for (String name : args) {
      every(Logger.getLogger(name));
    }
    System.out.println("done");
    LogManager.shutdown();
    System.exit(0);
  }

  private static void every(Logger log) {
    log.trace("a trace");
    log.debug("zwei € 😀");
    log.info("");
    log.warn("two\nlines");
    log.error("without its trace", new IllegalStateException("boom"));
    log.fatal(new Point());
    Schema schema = SchemaBuilder.record("Order").namespace("shop").fields()
        .requiredString("item").requiredInt("count").endRecord();
    GenericRecord order = new GenericRecordBuilder(schema).set("item", "tea").set("count", 7).build();
    log.info(order);
    log.info(List.of("first", "second", order));
    log.info(List.of());
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
