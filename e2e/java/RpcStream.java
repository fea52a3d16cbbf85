import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;

import org.apache.flume.Event;
import org.apache.flume.EventDeliveryException;
import org.apache.flume.FlumeException;
import org.apache.flume.api.RpcClient;
import org.apache.flume.api.RpcClientFactory;
import org.apache.flume.event.EventBuilder;

/**
 * Sends batches of numbered events through Flume's own RPC client until it is stopped. Arguments are the client's
 * properties, with {@code name} and {@code batch-size} among them. Event n of a client is {@code <name> <n>}. A
 * batch that fails is sent again, through a new client if the old one is of no more use, until it is
 * acknowledged. Every third batch is a single event. Prints {@code <first> <last> 200} for each batch that was
 * acknowledged, and {@code <first> <last> 0} for each failure.
 */
public final class RpcStream {
  private RpcStream() {
  }

  public static void main(String[] args) throws Exception {
    Properties settings = new Properties();
    for (String arg : args) {
      int equals = arg.indexOf('=');
      settings.setProperty(arg.substring(0, equals), arg.substring(equals + 1));
    }
    String name = settings.getProperty("name");
    int size = Integer.parseInt(settings.getProperty("batch-size"));
    RpcClient client = null;
    int first = 0;
    for (int batch = 0; ; batch++) {
      int last = batch % 3 == 2 ? first : first + size - 1;
      List<Event> events = events(name, first, last);
      boolean sent = false;
      while (!sent) {
        try {
          if (client == null || !client.isActive()) {
            if (client != null) {
              client.close();
            }
            client = null;
            client = RpcClientFactory.getInstance(settings);
          }
          send(client, events);
          sent = true;
        } catch (EventDeliveryException | FlumeException | IllegalArgumentException e) {
          Thread.sleep(20);
        }
        System.out.println(first + " " + last + " " + (sent ? 200 : 0));
      }
      first = last + 1;
      Thread.sleep(10);
    }
  }

  private static void send(RpcClient client, List<Event> events) throws EventDeliveryException {
    if (events.size() == 1) {
      client.append(events.get(0));
    } else {
      client.appendBatch(events);
    }
  }

  private static List<Event> events(String name, int first, int last) {
    List<Event> events = new ArrayList<>();
    for (int n = first; n <= last; n++) {
      events.add(EventBuilder.withBody(name + " " + n, StandardCharsets.UTF_8));
    }
    return events;
  }
}
