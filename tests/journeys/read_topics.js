// Print the number of records that kafkajs reads from each topic, as JSON.
//
//     node read_topics.js BOOTSTRAP '{"topic": RECORDS, ...}'
//
// The program ends when it has read as many records as it should.

import { randomUUID } from "node:crypto";
import kafkajs from "kafkajs";

const [bootstrap, expected] = process.argv.slice(2);
const wanted = JSON.parse(expected);
const counts = Object.fromEntries(Object.keys(wanted).map((topic) => [topic, 0]));
const kafka = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.ERROR });
const consumer = kafka.consumer({ groupId: randomUUID() });
let finish;
const finished = new Promise((resolve) => {
  finish = resolve;
});

consumer.on(consumer.events.CRASH, ({ payload }) => {
  console.error(payload.error.message);
  process.exit(1);
});
await consumer.connect();
await consumer.subscribe({ topics: Object.keys(wanted), fromBeginning: true });
await consumer.run({
  eachMessage: async ({ topic }) => {
    counts[topic] += 1;
    if (Object.keys(wanted).every((one) => counts[one] >= wanted[one])) finish();
  },
});
await finished;
await consumer.disconnect();
console.log(JSON.stringify(counts));
