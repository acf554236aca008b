// Ask a stream for a prediction and send the label later, with kafkajs.
//
//     npm install
//     node ask_and_label.js localhost:9092 flights '{"x0": 5.1, "x1": 3.5}' true
//
// The answer is printed as it arrives.

import { randomUUID } from "node:crypto";
import kafkajs from "kafkajs";

const TIMEOUT_MS = 30_000;
const [bootstrap, stream, row, label] = process.argv.slice(2);
const clientId = `client-${randomUUID()}`;
const requestId = randomUUID();
const kafka = new kafkajs.Kafka({
  clientId,
  brokers: bootstrap.split(","),
  logLevel: kafkajs.logLevel.ERROR,
});
const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
const consumer = kafka.consumer({ groupId: clientId });
const admin = kafka.admin();
const predictions = `${stream}.predictions`;

// Reads all partitions from their present ends on. The ends are looked up before the request is
// sent, so its answer cannot be missed.
async function startReading(handle) {
  const ends = await admin.fetchTopicOffsets(predictions);
  await consumer.subscribe({ topic: predictions });
  await consumer.run({ autoCommit: false, eachMessage: async ({ message }) => handle(message) });
  for (const { partition, high } of ends) {
    consumer.seek({ topic: predictions, partition, offset: high });
  }
}

function timeout() {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`no answer within ${TIMEOUT_MS} ms`)), TIMEOUT_MS).unref();
  });
}

await Promise.all([admin.connect(), producer.connect(), consumer.connect()]);
const { promise: answered, resolve } = withResolvers();
await startReading((message) => {
  // The answers to other clients need not be decoded.
  if (message.headers["reply-to"]?.toString() !== clientId) return;
  const answer = JSON.parse(message.value.toString());
  if (answer.id === requestId) resolve(answer);
});

const request = { id: requestId, features: JSON.parse(row) };
await producer.send({
  topic: `${stream}.requests`,
  messages: [
    { key: requestId, value: JSON.stringify(request), headers: { "reply-to": clientId } },
  ],
});
console.log(JSON.stringify(await Promise.race([answered, timeout()])));

const truth = { id: requestId, label: JSON.parse(label), event_time: Date.now() };
await producer.send({
  topic: `${stream}.labels`,
  messages: [{ key: requestId, value: JSON.stringify(truth) }],
});
await Promise.all([admin.disconnect(), producer.disconnect(), consumer.disconnect()]);

function withResolvers() {
  let resolve;
  const promise = new Promise((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
