import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonStreamContext;
import com.fasterxml.jackson.core.JsonToken;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * A plain consumer and producer with ONNX Runtime: polls whole batches, scores each in one run,
 * sends the responses and commits. Environment variables describe the job.
 */
public final class Worker {
  private static final int MANY = 10_000;

  private final JsonFactory json = new JsonFactory();
  private final OrtEnvironment onnx = OrtEnvironment.getEnvironment();
  private final OrtSession session;
  private final String input;
  private final String output;
  private final int width;
  private final String answers = env("ANSWERS");
  private FloatBuffer rows;

  private Worker(String model) throws OrtException {
    OrtSession.SessionOptions options = new OrtSession.SessionOptions();
    options.setIntraOpNumThreads(1);
    options.setInterOpNumThreads(1);
    session = onnx.createSession(model, options);
    input = session.getInputNames().iterator().next();
    output = List.copyOf(session.getOutputNames()).get(session.getOutputNames().size() - 1);
    var info = (ai.onnxruntime.TensorInfo) session.getInputInfo().get(input).getInfo();
    width = (int) info.getShape()[1];
    rows = buffer(MANY);
  }

  public static void main(String[] none) throws Exception {
    boolean once = env("DELIVERY").equals("exactly_once");
    Worker worker = new Worker(env("MODEL"));
    var consumer = new KafkaConsumer<byte[], byte[]>(consuming());
    var producer = new KafkaProducer<byte[], byte[]>(producing(once));
    Thread main = Thread.currentThread();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(consumer, main)));
    if (once) {
      producer.initTransactions();
    }
    consumer.subscribe(List.of(env("REQUESTS")));
    try (consumer; producer) {
      while (true) {
        ConsumerRecords<byte[], byte[]> batch = consumer.poll(Duration.ofMillis(200));
        if (batch.isEmpty()) {
          continue;
        }
        if (once) {
          producer.beginTransaction();
        }
        worker.answer(batch, producer);
        if (once) {
          producer.sendOffsetsToTransaction(batch.nextOffsets(), consumer.groupMetadata());
          producer.commitTransaction();
        } else {
          producer.flush();
          consumer.commitAsync(new HashMap<>(batch.nextOffsets()), null);
        }
      }
    } catch (WakeupException asked) {
      return;
    }
  }

  private void answer(
      ConsumerRecords<byte[], byte[]> batch, KafkaProducer<byte[], byte[]> producer)
      throws IOException, OrtException {
    if (batch.count() * width > rows.capacity()) {
      rows = buffer(batch.count());
    }
    rows.clear();
    String[] ids = new String[batch.count()];
    int number = 0;
    for (ConsumerRecord<byte[], byte[]> record : batch) {
      ids[number++] = read(record.value());
    }
    rows.flip();
    float[][] scores = scores(number);
    number = 0;
    for (ConsumerRecord<byte[], byte[]> record : batch) {
      byte[] value = written(ids[number], scores[number]);
      producer.send(new ProducerRecord<>(answers, record.key(), value));
      number++;
    }
  }

  /** Appends a request's numbers, by name or in a tensor, to the batch; returns the request id. */
  private String read(byte[] value) throws IOException {
    String id = null;
    try (JsonParser parser = json.createParser(value)) {
      int before = rows.position();
      for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
        if (token == JsonToken.FIELD_NAME && id == null && parser.currentName().equals("id")) {
          id = parser.nextTextValue();
        } else if (token.isNumeric() && isFeature(parser.getParsingContext().getParent())) {
          rows.put(parser.getFloatValue());
        }
      }
      if (rows.position() - before != width) {
        throw new IOException("a request holds " + (rows.position() - before) + " numbers");
      }
    }
    return id;
  }

  private static boolean isFeature(JsonStreamContext home) {
    return "features".equals(home.getCurrentName()) || "data".equals(home.getCurrentName());
  }

  private float[][] scores(int count) throws OrtException {
    try (OnnxTensor tensor = OnnxTensor.createTensor(onnx, rows, new long[] {count, width});
        OrtSession.Result result = session.run(Map.of(input, tensor))) {
      return (float[][]) result.get(output).orElseThrow().getValue();
    }
  }

  private byte[] written(String id, float[] scores) throws IOException {
    var bytes = new ByteArrayOutputStream(128);
    try (JsonGenerator generator = json.createGenerator(bytes)) {
      generator.writeStartObject();
      generator.writeStringField("id", id);
      generator.writeArrayFieldStart("outputs");
      for (float score : scores) {
        generator.writeNumber(score);
      }
      generator.writeEndArray();
      generator.writeEndObject();
    }
    return bytes.toByteArray();
  }

  private FloatBuffer buffer(int count) {
    int bytes = count * width * Float.BYTES;
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder()).asFloatBuffer();
  }

  private static Properties consuming() {
    Properties found = shared();
    found.put("group.id", env("GROUP"));
    found.put("key.deserializer", ByteArrayDeserializer.class);
    found.put("value.deserializer", ByteArrayDeserializer.class);
    found.put("enable.auto.commit", false);
    found.put("auto.offset.reset", "earliest");
    found.put("isolation.level", "read_committed");
    found.put("max.poll.records", MANY);
    found.put("max.partition.fetch.bytes", 4 * 1024 * 1024);
    return found;
  }

  private static Properties producing(boolean once) {
    Properties found = shared();
    found.put("key.serializer", ByteArraySerializer.class);
    found.put("value.serializer", ByteArraySerializer.class);
    found.put("batch.size", 1024 * 1024);
    found.put("linger.ms", 5);
    found.put("buffer.memory", 256 * 1024 * 1024);
    if (once) {
      found.put("transactional.id", env("GROUP") + "-jvm");
    }
    return found;
  }

  private static Properties shared() {
    Properties found = new Properties();
    found.put("bootstrap.servers", env("BOOTSTRAP"));
    return found;
  }

  private static void stop(KafkaConsumer<byte[], byte[]> consumer, Thread main) {
    consumer.wakeup();
    try {
      main.join(10_000);
    } catch (InterruptedException impatient) {
      Thread.currentThread().interrupt();
    }
  }

  private static String env(String name) {
    return System.getenv("BENCH_" + name);
  }
}
