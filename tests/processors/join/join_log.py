"""Predictions and labels for the tests of the join, and topics in memory that the join reads."""

import json

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import ErrorResponse, Label, Prediction, SourcePosition
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics
from modstream.processors.join.partition import PartitionJoin

HORIZON = 100
OUT_OF_ORDERNESS = 10
NOW = 1_000_000
TOPICS = Topics("flights")
SOURCE = SourcePosition(topic=TOPICS.requests, partition=0, offset=0)
FEATURES = {"distance": 1400.0, "carrier": "UA", "night": False, "gate": None}


def prediction(name="a", model="online", at=0, features=None, outputs=None):
    return Prediction(
        id=name, model=model, version=3, outputs=outputs or {"probability": 0.25},
        features=features, event_time=at, source=SOURCE,
    )  # fmt: skip


def label(name="a", value="yes", revision=0, at=50):
    return Label(id=name, label=value, revision=revision, event_time=at)


def error_response(name="a"):
    return ErrorResponse(id=name, code="invalid", message="no", source=SOURCE)


ERROR_HEADERS = ((Header.KIND, b"error"),)


class JoinHarness:
    """One partition's two input topics, its changelog, and a join that reads and writes them."""

    def __init__(self):
        self.records = {TOPICS.predictions: [], TOPICS.labels: []}
        self.changelog = {}
        self.published = []
        self.join = PartitionJoin(TOPICS, HORIZON, OUT_OF_ORDERNESS)

    def append(self, topic, message, key=b"key", headers=()):
        value = message if isinstance(message, bytes) else encode(message)
        records = self.records[topic]
        records.append(Record(topic, 0, len(records), key, value, headers, timestamp=NOW))

    def process(self, topic, start=None, *, crash=False):
        position = self.join.state.inputs[topic].position or 0
        records = self.records[topic][position if start is None else start :]
        if records:
            self.store(self.join.process(topic, records[-1].offset + 1, records), crash=crash)

    def advance_time(self, finished_inputs=(TOPICS.predictions, TOPICS.labels)):
        self.store(self.join.advance_time(finished_inputs))

    def store(self, output, *, crash=False):
        self.published = [*self.published, *output.records]
        if crash:
            self.restart()
        else:
            self.changelog.update(dict(output.changelog_rows))

    def restart(self):
        self.join = PartitionJoin(TOPICS, HORIZON, OUT_OF_ORDERNESS)
        for key, value in self.changelog.items():
            self.join.restore(key, value)

    def messages(self):
        return [summarize(record) for record in self.published]


def summarize(record):
    """Return a published message in the oracle's form."""
    message = json.loads(record.value)
    models = tuple(sorted(scored["model"] for scored in message.get("predictions", ())))
    reason = message.get("reason", "corrected" if "revises" in message else "joined")
    return message["id"], reason, message.get("label"), models, "features" in message
