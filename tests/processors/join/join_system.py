"""A stream on a real Kafka, its joiner processes, and the records that go in and come out."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from confluent_kafka import Producer

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection, transactional_config
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import Reader, read_offset_ranges
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Label, Prediction, SourcePosition
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import Topics
from tests.processors.join.join_process import PARTITIONS

PROGRAM = Path(__file__).with_name("join_process.py")
ROOT = PROGRAM.parents[3]
CLOCK_IDS = 40
"""Number of ids that advance the event time: enough for every partition to get some."""
FEATURES = {"distance": 1400.0, "carrier": "UA", "night": False}


class JoinSystem:
    """One stream's topics, its joiner processes, and the output read so far."""

    def __init__(self, bootstrap, prefix, folder):
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.folder = folder
        self.topics = Topics("flights", prefix)
        self.connection = Connection(bootstrap)
        self.admin = Admin(self.connection)
        self.admin.create(self.topics.specs(PARTITIONS))
        outputs = [self.topics.feedback, self.topics.unjoined, self.topics.metrics]
        self.reader = Reader(self.connection, outputs)
        self.output = {topic: [] for topic in outputs}
        self.joiners = []

    def start(self, instance_id="", *options):
        """Start a joiner process."""
        command = [sys.executable, PROGRAM, self.bootstrap, self.prefix, self.folder, instance_id]
        joiner = subprocess.Popen(
            [*command, *options], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        self.joiners.append(joiner)
        return joiner

    def close(self):
        for joiner in self.joiners:
            joiner.kill()
            joiner.wait()
        self.reader.close()

    def wait_until(self, condition, seconds=40.0):
        """Read the output until a condition holds; fail after `seconds` without a new record.

        The timeout is for a stalled joiner; a slow machine still produces records.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.describe()
            for record in self.reader.poll(0.2, 5000):
                self.output[record.topic].append(record)
                deadline = time.monotonic() + seconds

    def describe(self):
        """Return the state of a stalled system, for the failure message."""
        reasons = Counter(reason for _, reason in self.unjoined())
        codes = [joiner.poll() for joiner in self.joiners]
        return (
            f"joined {len(self.joined())}, {reasons}, input positions {self.input_positions()};"
            f" exit codes {codes}"
        )

    def joined(self):
        """Return by id the last label, and every model whose prediction was joined with one."""
        found = {}
        for record in self.output[self.topics.feedback]:
            message = json.loads(record.value)
            _, models = found.get(message["id"], (None, set()))
            models = models | {prediction["model"] for prediction in message["predictions"]}
            found[message["id"]] = message["label"], models
        return found

    def messages(self):
        """Return the last published label by (id, model), or by (id, reason) if unjoined."""
        outputs = self.output[self.topics.feedback] + self.output[self.topics.unjoined]
        messages = [json.loads(record.value) for record in outputs]
        return {
            (message["id"], key): message.get("label")
            for message in messages
            for key in [prediction["model"] for prediction in message.get("predictions", ())]
            or [message["reason"]]
        }

    def unjoined(self):
        """Return the number of unjoined messages by id and reason."""
        messages = [json.loads(record.value) for record in self.output[self.topics.unjoined]]
        return Counter((message["id"], message["reason"]) for message in messages)

    def ids_unjoined(self, reason):
        return {name for name, own_reason in self.unjoined() if own_reason == reason}

    def counters(self):
        """Return the joiner's latest counters."""
        metrics = [record for record in self.output[self.topics.metrics] if record.key == b"joiner"]
        return json.loads(metrics[-1].value)["values"] if metrics else Counter()

    def wait_until_consumed(self):
        """Wait until each input record is committed, and read all that was published for them."""
        self.wait_until(lambda: not self.has_waiting_records())
        self.wait_until(lambda: not self._has_unread_output())

    def has_waiting_records(self):
        """Return whether an input has an uncommitted record; a transaction marker is not one."""
        inputs = [self.topics.predictions, self.topics.labels]
        committed = self.admin.committed_offsets(self.topics.group("joiner"), inputs)
        return self._has_records(inputs, committed)

    def _has_unread_output(self):
        positions = {tp: max(offset, 0) for tp, offset in self.reader.positions.items()}
        return self._has_records([self.topics.feedback, self.topics.unjoined], positions)

    def _has_records(self, topics, starts):
        ends = self.admin.end_offsets(topics)
        ranges = {tp: (starts.get(tp, 0), end) for tp, end in ends.items()}
        waiting = {tp: bounds for tp, bounds in ranges.items() if bounds[0] < bounds[1]}
        return any(
            True
            for topic in topics
            for _ in read_offset_ranges(
                self.connection,
                topic,
                {tp: bounds for tp, bounds in waiting.items() if tp.topic == topic},
            )
        )

    def input_positions(self):
        """Return by partition the committed offset, the last stable offset and the end."""
        inputs = [self.topics.predictions, self.topics.labels]
        committed = self.admin.committed_offsets(self.topics.group("joiner"), inputs)
        stable = self.admin.end_offsets(inputs, committed=True)
        ends = self.admin.end_offsets(inputs)
        return {str(tp): (committed.get(tp), stable[tp], end) for tp, end in ends.items()}

    def predict(self, names, times, models=("online", "frozen"), per_transaction=20):
        """Send predictions in transactions; before every fourth, abort one with other ids."""
        producer = Producer(transactional_config(self.connection, f"{self.prefix}worker"))
        producer.init_transactions(30)
        for number, first in enumerate(range(0, len(names), per_transaction)):
            batch = names[first : first + per_transaction]
            for is_aborted in (True, False) if number % 4 == 0 else (False,):
                producer.begin_transaction()
                for name in batch:
                    for model in models:
                        entry_id = f"aborted-{name}" if is_aborted else name
                        self._send_prediction(producer, name, entry_id, model, times[name])
                if is_aborted:
                    producer.flush()
                    producer.abort_transaction()
                else:
                    producer.commit_transaction()

    def _send_prediction(self, producer, name, entry_id, model, at):
        prediction = Prediction(
            id=entry_id,
            model=model,
            version=1,
            outputs={"probability": 0.5},
            features=FEATURES if model == "online" else None,
            event_time=at,
            source=SourcePosition(topic=self.topics.requests, partition=0, offset=0),
        )
        producer.produce(
            self.topics.predictions, key=b"key-" + name.encode(), value=encode(prediction)
        )

    def label(self, labels):
        """Send labels, each (id, value, revision, event time)."""
        with Publisher(self.connection) as publisher:
            for name, value, revision, at in labels:
                label = Label(id=name, label=value, revision=revision, event_time=at)
                key = b"key-" + name.encode()
                publisher.send(ProducerRecord(self.topics.labels, key, encode(label)))
            publisher.flush()

    def predict_rows(self, name, rows, at=1_000_000):
        """Send one prediction for several rows."""
        prediction = Prediction(
            id=name,
            model="online",
            version=1,
            outputs=tuple({"probability": 0.5} for _ in range(rows)),
            features=tuple({"x": row} for row in range(rows)),
            event_time=at,
            source=SourcePosition(topic=self.topics.requests, partition=0, offset=0),
        )
        self._publish(self.topics.predictions, name, prediction)

    def label_row(self, name, row, at=1_000_000):
        """Send the label of one row."""
        self._publish(self.topics.labels, name, Label(id=name, row=row, label=True, event_time=at))

    def _publish(self, topic, name, message):
        with Publisher(self.connection) as publisher:
            publisher.send(ProducerRecord(topic, b"key-" + name.encode(), encode(message)))
            publisher.flush()

    def advance_time(self, now):
        """Advance both inputs of every partition to an event time, with separate ids."""
        names = [f"clock-{now}-{number}" for number in range(CLOCK_IDS)]
        self.predict(names, dict.fromkeys(names, now), models=("online",))
        self.label([(name, True, 0, now) for name in names])
