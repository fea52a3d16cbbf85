import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URL;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

import org.apache.avro.Protocol;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.ipc.HttpTransceiver;
import org.apache.avro.ipc.generic.GenericRequestor;

/**
 * Sends the lines of standard input as events of Flume 0.9, by Avro over HTTP. Arguments are the URL and a file
 * with the text of the protocol. Each event carries its line number in the field {@code n}. Prints {@code sent N}
 * when every event was acknowledged and fails otherwise.
 */
public final class LegacyAvroSend {
  private LegacyAvroSend() {
  }

  public static void main(String[] args) throws Exception {
    Protocol protocol = Protocol.parse(Files.readString(Path.of(args[1])));
    GenericRequestor requestor = new GenericRequestor(protocol, new HttpTransceiver(new URL(args[0])));
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    int count = 0;
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      GenericRecord event = new GenericData.Record(protocol.getType("com.cloudera.flume.handlers.avro.AvroFlumeOGEvent"));
      event.put("timestamp", 1700000000000L + count);
      event.put("priority", new GenericData.EnumSymbol(
          protocol.getType("com.cloudera.flume.handlers.avro.Priority"), "WARN"));
      event.put("body", ByteBuffer.wrap(line.getBytes(StandardCharsets.UTF_8)));
      event.put("nanos", 7L);
      event.put("host", "old");
      Map<String, ByteBuffer> fields = new HashMap<>();
      fields.put("n", ByteBuffer.wrap(Integer.toString(count).getBytes(StandardCharsets.UTF_8)));
      event.put("fields", fields);
      GenericRecord request = new GenericData.Record(protocol.getMessages().get("append").getRequest());
      request.put("evt", event);
      requestor.request("append", request);
      count++;
    }
    System.out.println("sent " + count);
  }
}
