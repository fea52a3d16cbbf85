import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/**
 * Posts arrays of events, one request after the other, until it is stopped. Arguments are the client to use
 * ({@code http1}, {@code http2}, {@code url-connection}, {@code url-connection-chunked}), the URL and the
 * beginning of the bodies. Prints {@code <number> <status>} for each request, with {@code 0} for one that
 * was not answered. The bodies of request n are {@code <beginning>n.0} and {@code <beginning>n.1}.
 */
public final class HttpSend {
  private interface Client {
    int post(URI to, String key, byte[] content) throws IOException, InterruptedException;
  }

  private HttpSend() {
  }

  public static void main(String[] args) throws Exception {
    Client client = clientOf(args[0]);
    URI to = URI.create(args[1]);
    for (int n = 0; ; n++) {
      String name = args[2] + n;
      String text = "[{\"body\":\"" + name + ".0\"},{\"headers\":{\"n\":\"1\"},\"body\":\"" + name + ".1\"}]";
      int status = 0;
      try {
        status = client.post(to, name, text.getBytes(StandardCharsets.UTF_8));
      } catch (IOException e) {
        Thread.sleep(5);
      }
      System.out.println(n + " " + status);
      System.out.flush();
    }
  }

  private static Client clientOf(String kind) {
    switch (kind) {
      case "http1":
        return modern(HttpClient.Version.HTTP_1_1);
      case "http2":
        return modern(HttpClient.Version.HTTP_2);
      case "url-connection":
        return (to, key, content) -> classic(to, key, content, false);
      case "url-connection-chunked":
        return (to, key, content) -> classic(to, key, content, true);
      default:
        throw new IllegalArgumentException("no such client: " + kind);
    }
  }

  /** Without TLS, HTTP/2 is asked for with an upgrade of each request. */
  private static Client modern(HttpClient.Version version) {
    HttpClient client = HttpClient.newBuilder().version(version).connectTimeout(Duration.ofSeconds(10)).build();
    return (to, key, content) -> client.send(
        HttpRequest.newBuilder(to).timeout(Duration.ofSeconds(30)).header("Content-Type", "application/json")
            .header("Idempotency-Key", key).POST(HttpRequest.BodyPublishers.ofByteArray(content)).build(),
        HttpResponse.BodyHandlers.discarding()).statusCode();
  }

  private static int classic(URI to, String key, byte[] content, boolean chunked) throws IOException {
    HttpURLConnection connection = (HttpURLConnection) to.toURL().openConnection();
    connection.setRequestMethod("POST");
    connection.setRequestProperty("Content-Type", "application/json");
    connection.setRequestProperty("Idempotency-Key", key);
    connection.setReadTimeout(30_000);
    connection.setDoOutput(true);
    if (chunked) {
      connection.setChunkedStreamingMode(16);
    }
    try (OutputStream out = connection.getOutputStream()) {
      out.write(content);
    }
    int status = connection.getResponseCode();
    if (status == 200) {
      try (InputStream in = connection.getInputStream()) {
        in.readAllBytes();
      }
    }
    return status;
  }
}
