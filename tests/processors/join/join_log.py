"""Predictions and labels for the tests of the join, and topics in memory that the join reads."""

import json

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import (
    ErrorResponse,
    JoinedPrediction,
    Label,
    Prediction,
    SourcePosition,
)
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics
from modstream.processors.join.answers import rows_of
from modstream.processors.join.entry_store import OffsetRange
from modstream.processors.join.partition import PartitionJoin
from modstream.processors.join.settings import EntryLimits
from modstream.processors.join.transitions import RowPrediction

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


def row_prediction(message, row=0):
    """Return one row of a prediction as the state machine processes it."""
    answer = rows_of(message)
    scored = JoinedPrediction(
        model=message.model, version=message.version, outputs=answer.outputs[row]
    )
    return RowPrediction(
        message.id, row, len(answer.outputs), scored, answer.features[row], message.event_time
    )


def label(name="a", value="yes", revision=0, at=50, row=None):
    return Label(id=name, label=value, revision=revision, event_time=at, row=row)


def error_response(name="a"):
    return ErrorResponse(id=name, code="invalid", message="no", source=SOURCE)


ERROR_HEADERS = ((Header.KIND, b"error"),)


class JoinHarness:
    """One partition's two input topics, its changelog, and a join that reads and writes them.

    `open_store` opens the store of the entries, by default in memory. `changelog` are the rows that
    are left of the changelog, and `log` all rows that were written, by their offsets.
    """

    def __init__(self, limits=EntryLimits(), record_limits=None, open_store=None):  # noqa: B008
        self.limits = limits, record_limits
        self.records = {TOPICS.predictions: [], TOPICS.labels: []}
        self.changelog = {}
        self.log = []
        self.published = []
        self.open_store = open_store or (lambda: None)
        self.join = self.create_join()

    def create_join(self):
        """Return a join as its store has kept it."""
        return PartitionJoin(
            TOPICS, HORIZON, OUT_OF_ORDERNESS, *self.limits, entries=self.open_store()
        )

    def append(self, topic, message, key=b"key", headers=()):
        value = message if isinstance(message, bytes) else encode(message)
        self.append_value(topic, value, key, headers)

    def append_value(self, topic, value, key=b"key", headers=()):
        records = self.records[topic]
        records.append(Record(topic, 0, len(records), key, value, headers, timestamp=NOW))

    def process(self, topic, start=None, *, crash=False):
        position = self.join.state.inputs[topic].position or 0
        records = self.records[topic][position if start is None else start :]
        if records:
            self.store(self.join.process(topic, records[-1].offset + 1, records), crash=crash)

    def advance_time(self, finished_inputs=(TOPICS.predictions, TOPICS.labels)):
        self.store(self.join.advance_time(finished_inputs, tell=True))

    def store(self, output, *, crash=False):
        self.published = [*self.published, *output.records]
        if crash:
            self.restart()
        else:
            self.join.store.commit(output.changelog_rows, self.write(output.changelog_rows))

    def write(self, rows):
        """Write rows to the changelog; return their offsets."""
        start = len(self.log)
        self.log += rows
        for key, value in rows:
            self.changelog.pop(key, None)
            if value is not None:
                self.changelog[key] = value
        return OffsetRange(start, len(self.log))

    def restart(self):
        """Open the store again, and read the rows that it does not have."""
        self.join.store.close()
        self.join = self.create_join()
        start = self.join.store.next_offset
        if start is None:
            for key, value in self.changelog.items():
                self.join.restore(key, value)
        else:
            self.restore_from(start)

    def restore_from(self, start):
        """Read the changelog as Faust does, two rows more than the store needs."""
        first = max(start - 2, 0)
        rows = [
            Record("changelog", 0, first + place, key or None, value)
            for place, (key, value) in enumerate(self.log[first:])
        ]
        self.join.restore_rows(rows)

    def messages(self):
        return [summarize(record) for record in self.published if record.topic != TOPICS.dlq]

    def unjoined(self):
        """Return (id, row, reason, label) of the labels and predictions that were not joined."""
        found = [json.loads(r.value) for r in self.published if r.topic == TOPICS.unjoined]
        return [(m["id"], m.get("row"), m["reason"], m.get("label")) for m in found]

    def feedback(self):
        """Return the feedback that was published."""
        return [json.loads(r.value) for r in self.published if r.topic == TOPICS.feedback]

    def letters(self):
        """Return the dead letters that were published."""
        return [record for record in self.published if record.topic == TOPICS.dlq]


def summarize(record):
    """Return a published message in the oracle's form."""
    message = json.loads(record.value)
    models = tuple(sorted(scored["model"] for scored in message.get("predictions", ())))
    reason = message.get("reason", "corrected" if "revises" in message else "joined")
    return message["id"], reason, message.get("label"), models, "features" in message
