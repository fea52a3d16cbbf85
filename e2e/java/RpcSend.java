import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;

import org.apache.flume.Event;
import org.apache.flume.api.RpcClient;
import org.apache.flume.api.RpcClientFactory;
import org.apache.flume.api.SecureRpcClientFactory;
import org.apache.flume.event.EventBuilder;

/**
 * Sends the lines of standard input as events through Flume's own RPC client. Arguments are the client's
 * properties ({@code hosts=h1 hosts.h1=localhost:4141 client.type=thrift …}); with {@code kerberos=true} it
 * is Flume's secure Thrift client. All but the last line go as
 * one batch, the last one by itself. Each event carries its line number in the header {@code n}. Prints
 * {@code sent N} when every event was acknowledged and fails otherwise.
 */
public final class RpcSend {
  private RpcSend() {
  }

  public static void main(String[] args) throws Exception {
    Properties settings = new Properties();
    for (String arg : args) {
      int equals = arg.indexOf('=');
      settings.setProperty(arg.substring(0, equals), arg.substring(equals + 1));
    }
    List<Event> events = readEvents();
    RpcClient client = Boolean.parseBoolean(settings.getProperty("kerberos"))
        ? SecureRpcClientFactory.getThriftInstance(settings)
        : RpcClientFactory.getInstance(settings);
    try {
      int last = events.size() - 1;
      client.appendBatch(events.subList(0, last));
      client.append(events.get(last));
    } finally {
      client.close();
    }
    System.out.println("sent " + events.size());
    // The Avro client leaves threads behind that keep the process alive for a while.
    System.exit(0);
  }

  private static List<Event> readEvents() throws Exception {
    List<Event> events = new ArrayList<>();
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      Map<String, String> headers = new HashMap<>();
      headers.put("n", Integer.toString(events.size()));
      events.add(EventBuilder.withBody(line, StandardCharsets.UTF_8, headers));
    }
    return events;
  }
}
