// Sends notes to Rxtract: one JSON object a line from standard input, until it ends.
import { createInterface } from "node:readline";
import registryPackage from "@kafkajs/confluent-schema-registry";
import kafkaPackage from "kafkajs";

const { SchemaRegistry } = registryPackage;
const { Kafka, Partitioners, logLevel } = kafkaPackage;

const topic = process.argv[2] ?? "notes.submitted.v1";
const kafka = new Kafka({ clientId: "my-notes", brokers: process.env.BOOTSTRAP_SERVERS.split(","), logLevel: logLevel.ERROR });
const registry = new SchemaRegistry({ host: process.env.SCHEMA_REGISTRY_URL });
// registry.register() would ask for BACKWARD compatibility and be refused: the schema is there, ask for its id.
const schemaId = await registry.getLatestSchemaId(`${topic}-value`);
// murmur2, as Java clients do. LegacyPartitioner would send a note's revisions to different partitions.
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });

let sent = 0;
async function send(notes) {
  const messages = await Promise.all(
    notes.map(async (note) => ({
      key: `${note.source}|${note.note_id}`,
      value: await registry.encode(schemaId, note), // written_at is a number: UTC milliseconds
    })),
  );
  await producer.send({ topic, messages, acks: -1 }); // rejects when the broker does not take them
  sent += notes.length;
}

await producer.connect();
let waiting = [];
for await (const line of createInterface({ input: process.stdin })) {
  waiting.push(JSON.parse(line));
  if (waiting.length >= 50) {
    await send(waiting);
    waiting = [];
  }
}
if (waiting.length > 0) await send(waiting);
await producer.disconnect();
console.log(JSON.stringify({ sent }));
