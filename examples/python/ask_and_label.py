"""Ask a stream for a prediction and send the label later, with confluent-kafka alone.

    python ask_and_label.py localhost:9092 flights '{"x0": 5.1, "x1": 3.5}' true

The answer is printed as it arrives. modstream itself is not needed here.
"""

import json
import sys
import time
import uuid

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

TIMEOUT_S = 30.0


def open_consumer(bootstrap: str, topic: str) -> Consumer:
    """Return a consumer of all partitions, from their present ends on, without a group.

    The ends are looked up before the request is sent, so its answer cannot be missed.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "unused",  # The client demands one; no offset is committed.
            "enable.auto.commit": False,
            "isolation.level": "read_committed",  # Answers are written in transactions.
        }
    )
    partitions = consumer.list_topics(topic, TIMEOUT_S).topics[topic].partitions
    starts = [TopicPartition(topic, number) for number in partitions]
    for start in starts:
        _, start.offset = consumer.get_watermark_offsets(start, TIMEOUT_S)
    consumer.assign(starts)
    return consumer


def wait_for_answer(consumer: Consumer, client_id: str, request_id: str) -> dict[str, object]:
    """Return the first answer to a request: a prediction, or an error with `code` and `message`."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        headers = dict(message.headers() or ())
        # The answers to other clients need not be decoded.
        if headers.get("reply-to") == client_id.encode():
            answer = json.loads(message.value())
            if answer["id"] == request_id:
                return answer
    raise TimeoutError(f"no answer to {request_id} within {TIMEOUT_S:g} s")


def main(bootstrap: str, stream: str, row: str, label: str) -> None:
    """Send one row, print the answer, and send the label."""
    client_id, request_id = f"client-{uuid.uuid4()}", str(uuid.uuid4())
    consumer = open_consumer(bootstrap, f"{stream}.predictions")
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})

    request = {"id": request_id, "features": json.loads(row)}
    producer.produce(
        f"{stream}.requests",
        key=request_id,
        value=json.dumps(request),
        headers={"reply-to": client_id},
    )
    producer.flush()
    answer = wait_for_answer(consumer, client_id, request_id)
    print(json.dumps(answer))

    now = int(time.time() * 1000)
    truth = {"id": request_id, "label": json.loads(label), "event_time": now}
    producer.produce(f"{stream}.labels", key=request_id, value=json.dumps(truth))
    producer.flush()
    consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
