import behealthy.rxtract.EntitiesExtracted;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.apicurio.registry.serde.avro.AvroKafkaDeserializer;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Reads entities from Rxtract and keeps one row a note: prints each row that it keeps. */
public class EntityConsumer {
    record Note(String source, String id) {}

    record Order(int revision, long modelSerial, long rulesSerial) implements Comparable<Order> {
        private static final Comparator<Order> BY_ALL =
            Comparator.comparingInt(Order::revision).thenComparingLong(Order::modelSerial).thenComparingLong(Order::rulesSerial);

        @Override
        public int compareTo(Order other) {
            return BY_ALL.compare(this, other);
        }
    }

    public static void main(String[] arguments) throws Exception {
        System.setProperty("org.apache.avro.SERIALIZABLE_PACKAGES", "behealthy.rxtract"); // Avro makes objects of these alone
        var topic = arguments.length > 0 ? arguments[0] : "entities.extracted.v1";
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", System.getenv("BOOTSTRAP_SERVERS"),
            "group.id", System.getenv().getOrDefault("GROUP_ID", "my-entities"),
            "auto.offset.reset", "earliest", // a new group begins with what is kept
            "enable.auto.commit", false, // committed below, after the rows are stored
            "isolation.level", "read_committed",
            "key.deserializer", StringDeserializer.class,
            "value.deserializer", AvroKafkaDeserializer.class,
            "apicurio.registry.url", System.getenv("REGISTRY_URL"), // http://registry:8080/apis/registry/v3
            "apicurio.registry.use-specific-avro-reader", true);

        var json = new ObjectMapper();
        var kept = new HashMap<Note, Order>(); // stands for your table, whose primary key is (source, note_id)
        try (var consumer = new KafkaConsumer<String, EntitiesExtracted>(settings)) {
            consumer.subscribe(List.of(topic));
            while (true) {
                ConsumerRecords<String, EntitiesExtracted> records = consumer.poll(Duration.ofSeconds(1));
                for (var record : records) {
                    var event = record.value();
                    var note = new Note(event.getSource(), event.getNoteId());
                    var order = new Order(event.getRevision(), event.getModel().getSerial(), event.getRulesSerial());
                    var before = kept.get(note);
                    if (before != null && order.compareTo(before) <= 0) {
                        continue; // a repeat after a rebalance, or older than what we have
                    }
                    kept.put(note, order);
                    var entities = event.getEntities().stream()
                        .map(entity -> Map.of("label", entity.getLabel().toString(), "text", entity.getText()))
                        .toList();
                    System.out.println(json.writeValueAsString(Map.of(
                        "source", note.source(), "note_id", note.id(), "revision", order.revision(),
                        "model_serial", order.modelSerial(), "rules_serial", order.rulesSerial(),
                        "entities", entities)));
                }
                consumer.commitSync();
            }
        }
    }
}
