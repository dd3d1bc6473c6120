// Reads entities from Rxtract and keeps one row a note: prints each row that it keeps.
import registryPackage from "@kafkajs/confluent-schema-registry";
import kafkaPackage from "kafkajs";

const { SchemaRegistry } = registryPackage;
const { Kafka, logLevel } = kafkaPackage;

const topic = process.argv[2] ?? "entities.extracted.v1";
const kafka = new Kafka({ clientId: "my-entities", brokers: process.env.BOOTSTRAP_SERVERS.split(","), logLevel: logLevel.ERROR });
const registry = new SchemaRegistry({ host: process.env.SCHEMA_REGISTRY_URL });
const consumer = kafka.consumer({ groupId: process.env.GROUP_ID ?? "my-entities" }); // reads what is committed, by default

const kept = new Map(); // stands for your table, whose primary key is (source, note_id)

function isNewer(order, before) {
  for (const [place, number] of order.entries()) {
    if (number !== before[place]) return number > before[place];
  }
  return false; // the same row again, after a rebalance
}

await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true }); // a new group begins with what is kept
await consumer.run({
  // The offset is committed after eachMessage has returned, so store the row before that.
  eachMessage: async ({ message }) => {
    const event = await registry.decode(message.value); // times are numbers: UTC milliseconds
    const note = `${event.source}|${event.note_id}`;
    const order = [event.revision, event.model.serial, event.rules_serial];
    if (kept.has(note) && !isNewer(order, kept.get(note))) return;
    kept.set(note, order);
    const entities = event.entities.map(({ label, text }) => ({ label, text }));
    const [revision, model_serial, rules_serial] = order;
    console.log(JSON.stringify({ source: event.source, note_id: event.note_id, revision, model_serial, rules_serial, entities }));
  },
});
