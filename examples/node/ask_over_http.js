// Ask the gateway for a prediction and send the label later. Node's own fetch is all it needs.
//
//     node ask_over_http.js http://localhost:8080 flights '{"x0": 5.1, "x1": 3.5}' true
//
// The answer is printed as it arrives. A key, if the gateway needs one, is read from MODSTREAM_KEY.

const [gateway, stream, row, label] = process.argv.slice(2);
const key = process.env.MODSTREAM_KEY;
const headers = { "content-type": "application/json", ...(key ? { "x-api-key": key } : {}) };

// Sends a document; an answer that comes later is fetched from where the gateway says it will be.
async function post(path, document, more = {}) {
  const options = { method: "POST", body: JSON.stringify(document), headers: { ...headers, ...more } };
  const answer = await fetch(gateway + path, options);
  const later = answer.headers.get("location");
  return later && answer.status !== 200 ? read(await wait(later)) : read(answer);
}

async function wait(path) {
  return fetch(gateway + path, { headers: { ...headers, prefer: "wait=30" } });
}

async function read(answer) {
  const document = await answer.json();
  if (!answer.ok) throw new Error(`${answer.status}: ${document.error}`);
  return document;
}

// A call that repeats the idempotency key, after a broken connection for example, gets the same answer.
const once = { "idempotency-key": crypto.randomUUID() };
const path = `/v1/streams/${stream}`;
const prediction = await post(`${path}/predict`, { features: JSON.parse(row) }, once);
console.log(JSON.stringify(prediction));

await post(`${path}/labels`, { id: prediction.request_id, label: JSON.parse(label) });
