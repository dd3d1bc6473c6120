import com.fasterxml.jackson.databind.ObjectMapper;
import io.apicurio.registry.serde.avro.AvroKafkaSerializer;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.GenericRecordBuilder;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/** Sends notes to Rxtract: one JSON object a line from standard input, until it ends. */
public class NoteProducer {
    public static void main(String[] arguments) throws Exception {
        var topic = arguments.length > 0 ? arguments[0] : "notes.submitted.v1";
        var json = new ObjectMapper();
        // The newest schema of the subject TOPIC-value. Fields that it gains later have a default, so we need not know them.
        var latest = URI.create(System.getenv("SCHEMA_REGISTRY_URL") + "/subjects/" + topic + "-value/versions/latest");
        var subject = json.readTree(latest.toURL());
        var schema = new Schema.Parser().parse(subject.get("schema").asText());
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", System.getenv("BOOTSTRAP_SERVERS"),
            "acks", "all", // the default, as is the partitioner: murmur2 of the key
            "linger.ms", 5,
            "key.serializer", StringSerializer.class,
            "value.serializer", AvroKafkaSerializer.class,
            "apicurio.registry.url", System.getenv("REGISTRY_URL"), // ends in /apis/registry/v3
            "apicurio.registry.artifact.version", subject.get("version").asText(), // the very version of `schema`
            "apicurio.registry.auto-register", false);

        var sent = new AtomicInteger();
        var failed = new AtomicInteger();
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (var producer = new KafkaProducer<String, GenericRecord>(settings)) {
            for (var line = lines.readLine(); line != null; line = lines.readLine()) {
                var note = json.readTree(line);
                var value = new GenericRecordBuilder(schema)
                    .set("source", note.get("source").asText())
                    .set("note_id", note.get("note_id").asText())
                    .set("revision", note.get("revision").asInt())
                    .set("prescription_id", note.get("prescription_id").asText())
                    .set("patient_ref", note.get("patient_ref").asText())
                    .set("doctor_ref", note.get("doctor_ref").asText())
                    .set("city", note.get("city").asText())
                    .set("specialty", note.get("specialty").asText())
                    .set("written_at", note.get("written_at").asLong()) // UTC milliseconds
                    .set("text", note.get("text").asText())
                    .build();
                var key = value.get("source") + "|" + value.get("note_id");
                producer.send(new ProducerRecord<>(topic, key, value), (place, error) -> {
                    if (error == null) {
                        sent.incrementAndGet();
                    } else {
                        failed.incrementAndGet();
                        System.err.println("not sent: " + error.getMessage());
                    }
                });
            }
        } // closing waits until the broker has answered for every note
        System.out.println(json.writeValueAsString(Map.of("sent", sent, "failed", failed)));
        System.exit(failed.get() == 0 ? 0 : 1);
    }
}
