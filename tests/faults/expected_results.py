"""The expected results of joiner and learner, computed from their inputs, and the actual ones."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import KIND_ERROR, decode
from modstream.broker.wire.contracts import ErrorResponse, Feedback, Label, Prediction, Unjoined
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics
from modstream.models.runtimes.runtime import load
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.processors.learn.learner import Learner
from tests.faults.late_labels import DISORDER_MS, HORIZON_MS
from tests.processors.join.join_oracle import Oracle

TICK_MS = 250
BATCH_SIZE = 1000


class JoinResult(NamedTuple):
    """The result of a join: its messages, the number of repeated messages, and the counters.

    A message is (id, model, label) for joined records, or (id, reason, label) for a record without
    a partner.
    """

    messages: set[tuple]
    repeats: int
    counts: Counter[str]


def expected_join(topics: Topics, records: Iterable[Record]) -> JoinResult:
    """Compute the join with the oracle, for each partition, with events in order of their times.

    The load is made so that any other interleaving of the two inputs gives the same result.
    """
    events, counts, newest, malformed = defaultdict(list), Counter(), Counter(), set()
    for record in records:
        if record.topic == topics.predictions and record.header(Header.KIND) == KIND_ERROR:
            counts["refused"] += 1
            error, at = decode(ErrorResponse, record.value), newest[record.partition]
            events[record.partition].append((at, 0, record.offset, error))
        elif record.topic == topics.predictions:
            prediction = decode(Prediction, record.value)
            newest[record.partition] = max(newest[record.partition], prediction.event_time)
            events[record.partition].append((prediction.event_time, 0, record.offset, prediction))
        elif record.topic == topics.labels:
            try:
                label = decode(Label, record.value)
            except DecodeError as error:
                counts["malformed"] += 1
                if error.request_id is not None:
                    malformed.add((error.request_id, "malformed", None))
            else:
                events[record.partition].append((label.event_time, 1, record.offset, label))
    oracles = [_run_oracle(sorted(each, key=lambda event: event[:3])) for each in events.values()]
    counts.update(sum((oracle.counts for oracle in oracles), Counter()))
    messages = malformed | {
        (name, model_or_reason, label)
        for oracle in oracles
        for name, reason, label, models, _ in oracle.messages
        for model_or_reason in (models or (reason,))
    }
    return JoinResult(messages, 0, counts)


def actual_join(topics: Topics, records: Iterable[Record]) -> JoinResult:
    """Return what the joiner has published, with the last counters that it published."""
    messages, counts = Counter(), Counter()
    for record in records:
        if record.topic == topics.feedback:
            feedback = decode(Feedback, record.value)
            messages.update(
                (feedback.id, scored.model, feedback.label) for scored in feedback.predictions
            )
        elif record.topic == topics.unjoined:
            unjoined = decode(Unjoined, record.value)
            messages[unjoined.id, str(unjoined.reason), unjoined.label] += 1
        elif record.topic == topics.metrics:
            metrics = decode(Metrics, record.value)
            if metrics.kind == "joiner":
                counts = Counter({name: int(n) for name, n in metrics.values.items()})
    del counts["replayed"]
    return JoinResult(set(messages), messages.total() - len(messages), +counts)


def learn_uninterrupted(
    topics: Topics, card: ModelCard, artifact: bytes, feedback: Sequence[Record]
) -> Learner:
    """Continue learning from a version without interruption; return the learner."""
    learner = Learner(card, load(Artifact(artifact), card), topics)
    for first in range(0, len(feedback), BATCH_SIZE):
        learner.learn_batch(feedback[first : first + BATCH_SIZE])
    return learner


def _run_oracle(events: Sequence[tuple]) -> Oracle:
    oracle, last_advance = Oracle(HORIZON_MS, DISORDER_MS), 0
    first = min(at for at, *_ in events if at)
    for found, _, _, message in events:
        at = found or first  # An error before all predictions has no time of its own.
        if at >= last_advance + TICK_MS:
            oracle.tell()
            oracle.advance_time(())
            last_advance = at
        if isinstance(message, Label):
            oracle.label(message.id, message.label, message.revision, at)
        elif isinstance(message, ErrorResponse):
            oracle.error_response(message.id, at)
        else:
            oracle.prediction(message.id, message.model, at, message.features is not None)
    oracle.tell()
    oracle.advance_time(())
    return oracle
