"""What joiner and learner should have come to, told by their inputs, and what they came to."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import ERROR, decode
from modstream.broker.wire.contracts import Feedback, Label, Metrics, Prediction, Unjoined
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics
from modstream.models.runtimes.runtime import load
from modstream.models.schema.card import ModelCard
from modstream.processors.learn.learner import Learner
from tests.faults.late_labels import DISORDER_MS, HORIZON_MS
from tests.processors.join.join_oracle import Oracle

TICK_MS = 250
BATCH = 1000


class Joined(NamedTuple):
    """A join: the `messages` as a set, how many records repeat one of them, and the counters.

    A message is (id, model, label) of a join, or (id, reason, label) of what found no partner.
    """

    messages: set[tuple]
    repeats: int
    counts: Counter[str]


def should_be_joined(topics: Topics, records: Iterable[Record]) -> Joined:
    """What the oracle says, each partition by itself, its events in the order of their times.

    The load makes sure that any other order of the two inputs comes to the same.
    """
    events, counts = defaultdict(list), Counter()
    for record in records:
        if record.topic == topics.predictions and record.header(Header.KIND) == ERROR:
            counts["refused"] += 1
        elif record.topic == topics.predictions:
            told = decode(Prediction, record.value)
            events[record.partition].append((told.event_time, 0, record.offset, told))
        elif record.topic == topics.labels:
            try:
                told = decode(Label, record.value)
            except DecodeError:
                counts["malformed"] += 1
            else:
                events[record.partition].append((told.event_time, 1, record.offset, told))
    oracles = [_told(sorted(each, key=lambda event: event[:3])) for each in events.values()]
    counts.update(sum((oracle.counts for oracle in oracles), Counter()))
    said = [it for oracle in oracles for it in oracle.said]
    messages = {
        (name, told, label)
        for name, reason, label, models, _ in said
        for told in (models or (reason,))
    }
    return Joined(messages, 0, counts)


def was_joined(topics: Topics, records: Iterable[Record]) -> Joined:
    """What the joiner has published; its counters are the last ones that it told."""
    messages, counts = Counter(), Counter()
    for record in records:
        if record.topic == topics.feedback:
            fed = decode(Feedback, record.value)
            messages.update((fed.id, scored.model, fed.label) for scored in fed.predictions)
        elif record.topic == topics.unjoined:
            alone = decode(Unjoined, record.value)
            messages[alone.id, str(alone.reason), alone.label] += 1
        elif record.topic == topics.metrics:
            metrics = decode(Metrics, record.value)
            if metrics.kind == "joiner":
                counts = Counter({name: int(n) for name, n in metrics.values.items()})
    del counts["replayed"]
    return Joined(set(messages), messages.total() - len(messages), +counts)


def learned_in_one_go(
    topics: Topics, card: ModelCard, artifact: bytes, feedback: Sequence[Record]
) -> Learner:
    """A learner that goes on from a version without being interrupted."""
    learner = Learner(card, load(artifact, card), topics)
    for first in range(0, len(feedback), BATCH):
        learner.absorb(feedback[first : first + BATCH])
    return learner


def _told(events: Sequence[tuple]) -> Oracle:
    oracle, looked_at = Oracle(HORIZON_MS, DISORDER_MS), 0
    for at, _, _, told in events:
        if at >= looked_at + TICK_MS:
            oracle.pass_time(())
            looked_at = at
        if isinstance(told, Label):
            oracle.label(told.id, told.label, told.revision, at)
        else:
            oracle.prediction(told.id, told.model, at, told.features is not None)
    oracle.pass_time(())
    return oracle
