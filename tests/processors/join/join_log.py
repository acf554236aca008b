"""Predictions and labels for the join's tests, and a log that a partition's join reads."""

import json

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import ErrorAnswer, Label, Prediction, Source
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics
from modstream.processors.join.partition import Partition

HORIZON = 100
DISORDER = 10
NOW = 1_000_000
TOPICS = Topics("flights")
SOURCE = Source(topic=TOPICS.requests, partition=0, offset=0)
FEATURES = {"distance": 1400.0, "carrier": "UA", "night": False, "gate": None}


def prediction(name="a", model="online", at=0, features=None, outputs=None):
    return Prediction(
        id=name, model=model, version=3, outputs=outputs or {"probability": 0.25},
        features=features, event_time=at, source=SOURCE,
    )  # fmt: skip


def label(name="a", value="yes", revision=0, at=50):
    return Label(id=name, label=value, revision=revision, event_time=at)


def refusal(name="a"):
    return ErrorAnswer(id=name, code="invalid", message="no", source=SOURCE)


AS_ERROR = ((Header.KIND, b"error"),)


class Log:
    """One partition's two topics, its changelog, and a join that reads and writes them."""

    def __init__(self):
        self.records = {TOPICS.predictions: [], TOPICS.labels: []}
        self.changelog = {}
        self.published = []
        self.join = Partition(TOPICS, HORIZON, DISORDER)

    def append(self, topic, message, key=b"key", headers=()):
        value = message if isinstance(message, bytes) else encode(message)
        log = self.records[topic]
        log.append(Record(topic, 0, len(log), key, value, headers, timestamp=NOW))

    def take(self, topic, start=None, *, die=False):
        position = self.join.ledger.inputs[topic].position or 0
        records = self.records[topic][position if start is None else start :]
        if records:
            self.keep(self.join.take(topic, records[-1].offset + 1, records), die=die)

    def sweep(self, finished=(TOPICS.predictions, TOPICS.labels)):
        self.keep(self.join.sweep(finished))

    def keep(self, changes, *, die=False):
        self.published = [*self.published, *changes.outgoing]
        if die:
            self.restart()
        else:
            self.changelog.update(dict(changes.rows))

    def restart(self):
        self.join = Partition(TOPICS, HORIZON, DISORDER)
        for key, value in self.changelog.items():
            self.join.restore(key, value)

    def told(self):
        return [spoken(outgoing) for outgoing in self.published]


def spoken(outgoing):
    """A message in the oracle's words."""
    message = json.loads(outgoing.value)
    models = tuple(sorted(scored["model"] for scored in message.get("predictions", ())))
    reason = message.get("reason", "corrected" if "revises" in message else "joined")
    return message["id"], reason, message.get("label"), models, "features" in message
