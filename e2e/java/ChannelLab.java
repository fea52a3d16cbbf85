import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.File;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;

import org.apache.flume.ChannelException;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.Transaction;
import org.apache.flume.channel.file.FileChannel;
import org.apache.flume.event.EventBuilder;

/**
 * Works Flume's own file channel as the script on standard input says, one command a line. The channel is
 * made in a folder with {@code open FOLDER key=value …}, where {@code @} in a value stands for the folder and
 * {@code ~} for a space.
 * Events carry the producer's name, the transaction and a number that counts up.
 *
 * <pre>
 * open F k=v… | close            close is an orderly stop
 * refused F k=v…                 must not open
 * put N BATCH [SIZE]             committed puts in transactions of BATCH, bodies of about SIZE bytes
 * put-rollback N                 one transaction of puts, rolled back
 * put-open N, take-open N        one transaction, left open by a thread of its own
 * take N BATCH                   committed takes
 * take-rollback N                one transaction of takes, rolled back
 * checkpoint                     as the channel does from time to time
 * load PUTTERS TAKERS SIZE       goes on until the process is killed; numbers of events whose take is about
 *                                to be committed go to the file F.taken with a ?, then without one
 * child ID DELAY … end           the lines between run in another process, killed DELAY ms after "load"
 * wait                           for all children to have been killed
 * drain F OUT k=v…               takes everything and writes it to the file OUT
 * key STORE PASSWORD ALIAS       prints "key ALIAS hex"
 * </pre>
 */
public final class ChannelLab {
  private static final AtomicInteger NUMBER = new AtomicInteger();
  private static final List<Thread> CHILDREN = new ArrayList<>();

  private static FileChannel channel;
  private static String folder;

  private ChannelLab() {
  }

  public static void main(String[] args) {
    try {
      work();
    } catch (Throwable e) {
      e.printStackTrace();
      System.exit(1);
    }
    System.out.println("done");
    System.exit(0); // threads with open transactions are left behind
  }

  private static void work() throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] words = line.trim().split(" +");
      if (words[0].equals("child")) {
        startChild(in, words[1], Integer.parseInt(words[2]));
      } else if (!words[0].isEmpty()) {
        run(words);
      }
    }
  }

  private static void run(String[] words) throws Exception {
    switch (words[0]) {
      case "open":
        channel = open(words[1], words, 2);
        folder = words[1];
        break;
      case "refused":
        if (start(words[1], words, 2).isOpen()) {
          throw new IllegalStateException("the channel in " + words[1] + " opened");
        }
        break;
      case "close":
        channel.stop();
        break;
      case "put":
        puts(number(words, 1), number(words, 2), words.length > 3 ? number(words, 3) : 40);
        break;
      case "put-rollback":
        finish(transact("r", number(words, 1), 40, false), false);
        break;
      case "put-open":
        leaveOpen(() -> transact("o", number(words, 1), 40, false));
        break;
      case "take":
        for (int left = number(words, 1), batch = number(words, 2); left > 0; left -= batch) {
          finish(transact("", Math.min(left, batch), 0, true), true);
        }
        break;
      case "take-rollback":
        finish(transact("", number(words, 1), 0, true), false);
        break;
      case "take-open":
        leaveOpen(() -> transact("", number(words, 1), 0, true));
        break;
      case "checkpoint":
        checkpoint();
        break;
      case "load":
        load(number(words, 1), number(words, 2), number(words, 3));
        break;
      case "wait":
        for (Thread child : CHILDREN) {
          child.join();
        }
        break;
      case "drain":
        drain(open(words[1], words, 3), words[2]);
        break;
      case "key":
        printKey(words[1], words[2], words[3]);
        break;
      default:
        throw new IllegalArgumentException("command " + words[0]);
    }
  }

  private static int number(String[] words, int i) {
    return Integer.parseInt(words[i]);
  }

  private static FileChannel open(String where, String[] words, int from) {
    FileChannel made = start(where, words, from);
    if (!made.isOpen()) {
      throw new IllegalStateException("the channel in " + where + " did not open");
    }
    return made;
  }

  private static FileChannel start(String where, String[] words, int from) {
    Map<String, String> settings = new HashMap<>();
    settings.put("checkpointDir", where + "/checkpoint");
    settings.put("dataDirs", where + "/data");
    settings.put("capacity", "20000");
    settings.put("transactionCapacity", "5000");
    settings.put("minimumRequiredSpace", "1048576");
    settings.put("keep-alive", "1");
    for (int i = from; i < words.length; i++) {
      int equals = words[i].indexOf('=');
      settings.put(words[i].substring(0, equals), words[i].substring(equals + 1).replace("@", where).replace('~', ' '));
    }
    FileChannel made = new FileChannel();
    made.setName(new File(where).getName());
    made.configure(new Context(settings));
    made.start();
    return made;
  }

  private static void puts(int count, int batch, int size) throws Exception {
    for (int left = count; left > 0; left -= batch) {
      finish(transact("p", Math.min(left, batch), size, false), true);
    }
  }

  private static Transaction transact(String producer, int count, int size, boolean take) {
    Transaction t = channel.getTransaction();
    t.begin();
    int first = NUMBER.getAndAdd(count);
    for (int i = 0; i < count; i++) {
      if (!take) {
        channel.put(event(producer, first, first + i, size));
      } else if (channel.take() == null) {
        break;
      }
    }
    return t;
  }

  private static void finish(Transaction t, boolean commit) {
    if (commit) {
      t.commit();
    } else {
      t.rollback();
    }
    t.close();
  }

  private static Event event(String producer, int transaction, int number, int size) {
    Map<String, String> headers = new HashMap<>();
    headers.put("p", producer);
    headers.put("t", Integer.toString(transaction));
    headers.put("n", Integer.toString(number));
    if (number % 5 == 0) {
      headers.put("schön", number % 2 == 0 ? "" : "ß\u0001");
    }
    byte[] body = new byte[size == 0 ? 0 : (int) (number * 7919L % (2L * size))];
    for (int i = 0; i < body.length; i++) {
      body[i] = (byte) (number + i * 31);
    }
    return EventBuilder.withBody(body, headers);
  }

  /** A transaction belongs to its thread, which therefore has to stay. */
  private static void leaveOpen(Runnable work) throws Exception {
    CountDownLatch done = new CountDownLatch(1);
    Thread thread = new Thread(() -> {
      work.run();
      done.countDown();
      sleep(Long.MAX_VALUE);
    });
    thread.setDaemon(true);
    thread.start();
    done.await();
  }

  /** The method is the channel's own and not public. */
  private static void checkpoint() throws Exception {
    Field field = FileChannel.class.getDeclaredField("log");
    field.setAccessible(true);
    Object log = field.get(channel);
    for (Method method : log.getClass().getDeclaredMethods()) {
      if (method.getName().equals("writeCheckpoint") && method.getParameterCount() == 1) {
        method.setAccessible(true);
        for (int tries = 0; ; tries++) {
          try {
            method.invoke(log, true);
            return;
          } catch (java.lang.reflect.InvocationTargetException e) {
            // The copy of the previous checkpoint is still being made.
            if (!(e.getCause() instanceof java.io.IOException) || tries == 100) {
              throw e;
            }
            sleep(20);
          }
        }
      }
    }
    throw new NoSuchMethodException("writeCheckpoint");
  }

  private static void load(int putters, int takers, int size) throws Exception {
    OutputStream taken = Files.newOutputStream(Paths.get(folder + ".taken"));
    for (int i = 0; i < putters; i++) {
      String name = "load" + i;
      new Thread(() -> repeat(name, size, null)).start();
    }
    for (int i = 0; i < takers; i++) {
      new Thread(() -> repeat("", 0, taken)).start();
    }
    System.out.println("load");
    sleep(Long.MAX_VALUE);
  }

  private static void repeat(String producer, int size, OutputStream taken) {
    for (int round = 0; ; round++) {
      Transaction t = channel.getTransaction();
      t.begin();
      boolean commit = round % 7 != 3;
      StringBuilder numbers = new StringBuilder();
      try {
        int first = NUMBER.getAndAdd(64);
        for (int i = 0; i < 1 + round * 13 % 50; i++) {
          if (taken == null) {
            channel.put(event(producer, first, first + i, size));
            continue;
          }
          Event e = channel.take();
          if (e == null) {
            break;
          }
          numbers.append(e.getHeaders().get("n")).append('\n');
        }
      } catch (ChannelException e) {
        commit = false; // it is full
      }
      if (commit && taken != null) { // a kill may come behind the commit
        note(taken, numbers.toString().replaceAll("(?m)^(?=.)", "?"));
      }
      finish(t, commit);
      if (commit && taken != null) {
        note(taken, numbers.toString());
      }
    }
  }

  private static synchronized void note(OutputStream file, String numbers) {
    try {
      file.write(numbers.getBytes(StandardCharsets.UTF_8));
    } catch (java.io.IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void startChild(BufferedReader in, String id, int delay) throws Exception {
    StringBuilder script = new StringBuilder();
    for (String line = in.readLine(); !line.trim().equals("end"); line = in.readLine()) {
      script.append(line).append('\n');
    }
    Process child = new ProcessBuilder("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp",
        System.getProperty("java.class.path"), "ChannelLab").redirectErrorStream(true).start();
    try (OutputStream out = child.getOutputStream()) {
      out.write(script.toString().getBytes(StandardCharsets.UTF_8));
    }
    Thread watcher = new Thread(() -> {
      try (BufferedReader said = new BufferedReader(new InputStreamReader(child.getInputStream(), StandardCharsets.UTF_8))) {
        String line = said.readLine();
        while (line != null && !line.equals("load")) {
          System.out.println(id + ": " + line);
          line = said.readLine();
        }
        sleep(delay);
        boolean alive = child.isAlive();
        child.destroyForcibly().waitFor();
        System.out.println(id + (alive ? " killed" : " ended by itself"));
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    });
    watcher.start();
    CHILDREN.add(watcher);
  }

  private static void drain(FileChannel from, String out) throws Exception {
    try (BufferedWriter writer = Files.newBufferedWriter(Paths.get(out), StandardCharsets.UTF_8)) {
      boolean more = true;
      while (more) {
        Transaction t = from.getTransaction();
        t.begin();
        for (int i = 0; i < 50 && more; i++) {
          Event e = from.take();
          more = e != null;
          if (more) {
            writer.write(line(e));
          }
        }
        finish(t, true);
      }
    }
    from.stop();
  }

  /** Headers sorted by key, then the body, all in hexadecimal. */
  private static String line(Event e) {
    StringBuilder s = new StringBuilder();
    for (Map.Entry<String, String> h : new TreeMap<>(e.getHeaders()).entrySet()) {
      hex(s, h.getKey().getBytes(StandardCharsets.UTF_8)).append('=');
      hex(s, h.getValue().getBytes(StandardCharsets.UTF_8)).append(' ');
    }
    return hex(s, e.getBody()).append('\n').toString();
  }

  private static StringBuilder hex(StringBuilder s, byte[] bytes) {
    for (byte b : bytes) {
      s.append(Character.forDigit(b >> 4 & 15, 16)).append(Character.forDigit(b & 15, 16));
    }
    return s;
  }

  private static void printKey(String store, String password, String alias) throws Exception {
    KeyStore keys = KeyStore.getInstance("JCEKS");
    try (java.io.InputStream in = Files.newInputStream(Paths.get(store))) {
      keys.load(in, password.toCharArray());
    }
    byte[] key = keys.getKey(alias, password.toCharArray()).getEncoded();
    System.out.println("key " + alias + " " + hex(new StringBuilder(), key));
  }

  private static void sleep(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
