// Ask the gateway for a prediction and send the label later. Java's own HTTP client is all it needs.
//
//     java AskOverHttp.java http://localhost:8080 flights '{"x0": 5.1, "x1": 3.5}' true
//
// The answer is printed as it arrives. A key, if the gateway needs one, is read from MODSTREAM_KEY.

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public class AskOverHttp {
  private static final Pattern REQUEST_ID = Pattern.compile("\"request_id\":\"([^\"]+)\"");
  private final HttpClient client = HttpClient.newHttpClient();
  private final String gateway;

  private AskOverHttp(String gateway) {
    this.gateway = gateway;
  }

  public static void main(String[] arguments) throws Exception {
    AskOverHttp service = new AskOverHttp(arguments[0]);
    String path = "/v1/streams/" + arguments[1];
    // A call that repeats the idempotency key, after a broken connection for example, gets the same
    // answer.
    String prediction =
        service.post(
            path + "/predict",
            "{\"features\": " + arguments[2] + "}",
            "Idempotency-Key",
            UUID.randomUUID().toString());
    System.out.println(prediction);

    // A program would read the JSON with the library that it uses anyway.
    Matcher found = REQUEST_ID.matcher(prediction);
    if (!found.find()) {
      throw new IllegalStateException("the answer has no request_id");
    }
    String label = "{\"id\": \"" + found.group(1) + "\", \"label\": " + arguments[3] + "}";
    service.post(path + "/labels", label);
  }

  // Sends a document; an answer that comes later is fetched from where the gateway says it will be.
  private String post(String path, String document, String... headers) throws Exception {
    HttpRequest.Builder request = request(path).POST(BodyPublishers.ofString(document));
    if (headers.length > 0) {
      request.headers(headers);
    }
    HttpResponse<String> answer = client.send(request.build(), BodyHandlers.ofString());
    String later = answer.headers().firstValue("location").orElse(null);
    if (answer.statusCode() != 200 && later != null) {
      HttpRequest wait = request(later).header("Prefer", "wait=30").build();
      answer = client.send(wait, BodyHandlers.ofString());
    }
    if (answer.statusCode() >= 300) {
      throw new IllegalStateException(answer.statusCode() + ": " + answer.body());
    }
    return answer.body();
  }

  private HttpRequest.Builder request(String path) {
    HttpRequest.Builder builder = HttpRequest.newBuilder(URI.create(gateway + path));
    builder.header("Content-Type", "application/json");
    String key = System.getenv("MODSTREAM_KEY");
    return key == null ? builder : builder.header("X-API-Key", key);
  }
}
