"""What goes into the state machine of the join and what comes out of it."""

from enum import StrEnum
from typing import NamedTuple

from modstream.broker.wire.contracts import Feedback, JoinedPrediction, Unjoined
from modstream.broker.wire.features import FeatureRow
from modstream.processors.join.entry import FirstPosition, JoinEntry

MAX_AHEAD_MS = 3600 * 1000
"""How far an event time may be ahead of the arrival."""


class JoinCounter(StrEnum):
    """The joiner's counters: what a record, or the passing of time, did to an entry."""

    JOINED = "joined"
    MISSING = "missing"
    LATE = "late"
    ORPHAN = "orphan"
    DUPLICATE = "duplicate"
    REVISED = "revised"
    REPLAYED = "replayed"
    """A record, or a model's response to this request, that was processed before."""
    REFUSED = "refused"
    """A response that cannot be joined: an error, or a prediction without rows to label."""
    MALFORMED = "malformed"
    """A record that violates its topic's contract, or cannot be read."""
    UNLABELLABLE = "unlabellable"
    """A label that was told at once why it cannot be joined."""
    FORWARDED = "forwarded"
    """A label that arrived in another partition than its prediction's, and was sent there."""
    EVICTED = "evicted"
    """An entry that was dropped early, because there were too many."""
    INTERNAL_ERROR = "internal_error"
    """A record or an entry that raised an unforeseen exception."""


class Arrival(NamedTuple):
    """A record's offset in its partition, its key, and its timestamp (ms since the epoch).

    `newest` is the newest event time of the records before it, `origin` the first position of a
    label that was forwarded. `now` is the newest event time that a label's partition has seen.
    `trace` is the record's header `traceparent`, if it is sampled.
    """

    offset: int
    key: bytes | None
    timestamp: int
    newest: int = 0
    origin: FirstPosition | None = None
    now: int = 0
    trace: str | None = None

    def bound(self, event_time: int) -> int:
        """Return an event time, or a time near that of the arrival if it is further ahead.

        Otherwise an entry of the far future would be kept for ever.
        """
        return min(event_time, max(self.timestamp, self.newest) + MAX_AHEAD_MS)


class RowPrediction(NamedTuple):
    """One model's prediction of one row of a request of `rows` rows."""

    id: str
    row: int
    rows: int
    scored: JoinedPrediction
    features: FeatureRow | None
    event_time: int | None
    size: int = 0


class Transition(NamedTuple):
    """An entry after an event (None: dropped), the messages to publish, and the counter."""

    entry: JoinEntry | None
    outputs: tuple[Feedback | Unjoined, ...] = ()
    counter: JoinCounter | None = None
