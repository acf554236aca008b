import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Asks a stream for a prediction and sends the label later, with kafka-clients alone.
 *
 * <pre>java -cp 'kafka-clients.jar:slf4j-api.jar' AskAndLabel.java \
 *     localhost:9092 flights '{"x0": 5.1, "x1": 3.5}' true</pre>
 *
 * <p>The answer is printed as it arrives. The row and the label are JSON.
 */
public final class AskAndLabel {
    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    public static void main(String[] args) throws Exception {
        String bootstrap = args[0], stream = args[1], row = args[2], label = args[3];
        String clientId = "client-" + UUID.randomUUID(), requestId = UUID.randomUUID().toString();
        try (var consumer = openConsumer(bootstrap, stream + ".predictions");
                var producer = openProducer(bootstrap)) {
            String request = "{\"id\": \"%s\", \"features\": %s}".formatted(requestId, row);
            var record = new ProducerRecord<>(stream + ".requests", requestId, request);
            record.headers().add("reply-to", clientId.getBytes(StandardCharsets.UTF_8));
            producer.send(record).get();
            System.out.println(waitForAnswer(consumer, clientId, requestId).value());

            String truth = "{\"id\": \"%s\", \"label\": %s, \"event_time\": %d}"
                    .formatted(requestId, label, System.currentTimeMillis());
            producer.send(new ProducerRecord<>(stream + ".labels", requestId, truth)).get();
        }
    }

    /**
     * Returns a consumer of all partitions, from their present ends on, without a group. The ends
     * are looked up before the request is sent, so its answer cannot be missed.
     */
    private static KafkaConsumer<String, String> openConsumer(String bootstrap, String topic) {
        Map<String, Object> config = Map.of(
                "bootstrap.servers", bootstrap,
                // Answers are written in transactions.
                "isolation.level", "read_committed");
        var consumer = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
        List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                .map(info -> new TopicPartition(topic, info.partition()))
                .toList();
        consumer.assign(partitions);
        consumer.endOffsets(partitions).forEach(consumer::seek);
        return consumer;
    }

    private static KafkaProducer<String, String> openProducer(String bootstrap) {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap);
        return new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
    }

    /** Returns the first answer to a request: it has the key of the request, here its id. */
    private static ConsumerRecord<String, String> waitForAnswer(
            KafkaConsumer<String, String> consumer, String clientId, String requestId) {
        Instant deadline = Instant.now().plus(TIMEOUT);
        while (Instant.now().isBefore(deadline)) {
            for (var answer : consumer.poll(Duration.ofSeconds(1))) {
                if (isFor(clientId, answer) && requestId.equals(answer.key())) {
                    return answer;
                }
            }
        }
        throw new IllegalStateException("no answer to " + requestId + " within " + TIMEOUT);
    }

    private static boolean isFor(String clientId, ConsumerRecord<String, String> answer) {
        Header header = answer.headers().lastHeader("reply-to");
        return header != null && clientId.equals(new String(header.value(), StandardCharsets.UTF_8));
    }
}
