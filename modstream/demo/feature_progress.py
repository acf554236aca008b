"""Which events that were sent are counted by the published features, from the topics."""

from collections import OrderedDict, deque
from collections.abc import Hashable, Sequence
from threading import Lock
from time import monotonic
from typing import Any

import msgspec
from msgspec import Struct

from modstream.broker.client.connection import Connection
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.demo.record_follower import RecordFollower
from modstream.producers.replay.replay import AnyEvent, BoardEvent, EventKind

PATIENCE_S = 30.0
"""How long the replay waits for one event. A label that is joined without features, as its request
got an error, is never counted."""
OFFSETS = msgspec.json.Decoder(int)
OWNERS = msgspec.json.Decoder(tuple[str])


class Identified(Struct, gc=False):
    """What is read of answers, of feedback, of labels that are not joined, and of the board."""

    id: str
    features: Any = None
    kind: str = ""


IDENTIFIED = msgspec.json.Decoder(Identified)


class WaitingEvents:
    """The events that were sent and are not counted yet, oldest first. Not thread-safe.

    The topic of features says up to which offset each partition of a source is counted.
    """

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self.labels: OrderedDict[Hashable, int] = OrderedDict()
        self.requests: OrderedDict[Hashable, int] = OrderedDict()
        """Requests that have no answer yet."""
        self.entries: OrderedDict[Hashable, int] = OrderedDict()
        self._uncounted: dict[str, deque[tuple[int, Hashable]]] = {}
        self._counted: dict[str, int] = {}

    def add(self, event: AnyEvent) -> None:
        """Take an event that is sent."""
        if isinstance(event, BoardEvent):
            self.entries[event.entry.id, event.entry.kind] = event.entry.time
            return
        waiting = self.labels if event.kind is EventKind.LABEL else self.requests
        waiting[event.flight.id] = event.event_time

    def read(self, record: Record) -> None:
        """Take a record of one of the topics."""
        if record.topic == self._topics.features:
            self._read_progress(record)
            return
        try:
            found = IDENTIFIED.decode(record.value or b"")
        except msgspec.MsgspecError:
            return
        if record.topic == self._topics.predictions:
            self.requests.pop(found.id, None)
            return
        if record.topic == self._topics.unjoined:
            self.labels.pop(found.id, None)
            return
        name: Hashable = found.id
        if record.topic != self._topics.feedback:
            name = (found.id, found.kind)
        elif found.features is None:
            return
        owner = str(record.topic_partition)
        if record.offset < self._counted.get(owner, 0):
            self._forget(name)
        else:
            self._uncounted.setdefault(owner, deque()).append((record.offset, name))

    def _read_progress(self, record: Record) -> None:
        """Read how far a source is counted; other records are skipped."""
        if record.key is None or record.value is None or b"," in record.key:
            return
        try:
            (owner,), offset = OWNERS.decode(record.key), OFFSETS.decode(record.value)
        except msgspec.MsgspecError:
            return
        self._counted[owner] = offset
        waiting = self._uncounted.get(owner)
        while waiting and waiting[0][0] < offset:
            self._forget(waiting.popleft()[1])

    def _forget(self, name: Hashable) -> None:
        self.labels.pop(name, None)
        self.entries.pop(name, None)


class FeatureProgress(RecordFollower):
    """A background thread that follows which labels and entries of the board are counted."""

    def __init__(self, connection: Connection, topics: Topics, board_topic: str = "") -> None:
        followed = [topics.predictions, topics.feedback, topics.unjoined, topics.features]
        followed += [board_topic] if board_topic else []
        super().__init__("feature-progress", connection, followed)
        self._waiting = WaitingEvents(topics)
        self._lock = Lock()
        self.given_up = 0
        """The number of events that were waited for in vain."""
        self._asked: dict[int, tuple[Hashable, float]] = {}

    def on_send(self, event: AnyEvent) -> None:
        """Take an event that is sent."""
        with self._lock:
            self._waiting.add(event)

    def oldest_label(self) -> int | None:
        """Return the event time (ms) of the oldest label that is not counted; None if all are.

        Raises:
            BrokerError: the topics can no longer be read, so progress is unknown.
        """
        return self._oldest(self._waiting.labels)

    def oldest_request(self) -> int | None:
        """Return the event time (ms) of the oldest request without an answer; None if all have one.

        Raises:
            BrokerError: the topics can no longer be read, so progress is unknown.
        """
        return self._oldest(self._waiting.requests)

    def oldest_entry(self) -> int | None:
        """Return the time (ms) of the oldest entry of the board that is not counted, or None.

        Raises:
            BrokerError: the topics can no longer be read, so progress is unknown.
        """
        return self._oldest(self._waiting.entries)

    def _oldest(self, waiting: OrderedDict[Hashable, int]) -> int | None:
        self.raise_if_failed()
        with self._lock:
            name, time = next(iter(waiting.items()), (None, None))
            asked, since = self._asked.get(id(waiting), (None, 0.0))
            if name != asked:
                self._asked[id(waiting)] = name, monotonic()
            elif name is not None and monotonic() - since > PATIENCE_S:
                del waiting[name]
                self.given_up += 1
            return time

    def read(self, records: Sequence[Record]) -> None:
        """Take the next records of the topics."""
        with self._lock:
            for record in records:
                self._waiting.read(record)
