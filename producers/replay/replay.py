"""Replays flights in event time: requests at scheduled departure, labels at landing, the board."""

import heapq
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import count
from operator import attrgetter
from threading import Event as Signal
from time import monotonic

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Label, Request
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import Topics
from modstream.producers.ports import RecordSink
from modstream.producers.records.bad_records import BAD_RECORDS, TOO_LARGE
from modstream.producers.replay.flights import BoardEntry, Flight
from modstream.producers.replay.pacing import HoldHook, ReplayClock, ReplayProgress, no_hold

REPORT_INTERVAL_SECONDS = 1.0


class EventKind(Enum):
    """The kinds of events that a flight causes."""

    REQUEST = "request"
    LABEL = "label"


@dataclass(frozen=True, slots=True)
class ReplayEvent:
    """A request or a label of a flight, with its event time in ms."""

    event_time: int
    kind: EventKind
    flight: Flight

    @property
    def due(self) -> int:
        """The time in ms at which the event is sent."""
        return self.event_time


@dataclass(frozen=True, slots=True)
class BoardEvent:
    """An entry of the board, which is sent at `due`, in ms."""

    entry: BoardEntry
    due: int


AnyEvent = ReplayEvent | BoardEvent


def timeline(flights: Iterable[Flight]) -> Iterator[ReplayEvent]:
    """Yield requests and labels in event-time order; holds only the flights in the air.

    Args:
        flights: ordered by their scheduled departure.
    """
    in_air: list[tuple[int, int, Flight]] = []
    tie = count()
    for flight in flights:
        while in_air and in_air[0][0] <= flight.scheduled_ms:
            yield _landing(in_air)
        yield ReplayEvent(flight.scheduled_ms, EventKind.REQUEST, flight)
        if flight.landed_ms is not None:
            heapq.heappush(in_air, (flight.landed_ms, next(tie), flight))
    while in_air:
        yield _landing(in_air)


def _landing(in_air: list[tuple[int, int, Flight]]) -> ReplayEvent:
    landed_ms, _, flight = heapq.heappop(in_air)
    return ReplayEvent(landed_ms, EventKind.LABEL, flight)


def with_board(
    events: Iterable[ReplayEvent], board: Iterable[BoardEntry], ahead_ms: int
) -> Iterator[AnyEvent]:
    """Yield a timeline together with entries of the board, each `ahead_ms` before its time.

    A feature reads no slice after that of its request. With slices of a minute, which is the unit
    of all times here, an entry that is sent ahead is in no feature of an earlier minute; so all
    entries up to a request's minute can be counted before the request is sent.
    """
    entries = (BoardEvent(one, one.time - ahead_ms) for one in board)
    return heapq.merge(entries, events, key=attrgetter("due"))


class ReplayPlan(BaseModel):
    """The speed of a replay and the share of bad records."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    speed_up: float = Field(default=3600.0, gt=0)
    """Event seconds per second of wall time."""
    bad_share: float = Field(default=0.0, ge=0, le=1)
    """Bad records per good request; they are sent in addition, with their own ids."""
    bad_kinds: tuple[str, ...] = tuple(sorted(set(BAD_RECORDS) - {TOO_LARGE}))
    """Kinds of bad records to draw from. Too large records would fill the disk."""
    seed: int = 2013


@dataclass(frozen=True, slots=True)
class ReplayControls:
    """How a caller controls a running replay.

    `report` gets the progress once a second, `on_send` every event just before it is sent.
    """

    stop: Signal = field(default_factory=Signal)
    hold: HoldHook = no_hold
    report: Callable[[ReplayProgress], None] = lambda _: None
    on_send: Callable[[AnyEvent], None] = lambda _: None


class Replay:
    """Sends the events of a timeline to a stream's topics when they are due."""

    def __init__(
        self,
        sink: RecordSink,
        topics: Topics,
        plan: ReplayPlan,
        controls: ReplayControls | None = None,
        board_topic: str = "",
    ) -> None:
        self._sink = sink
        self._topics = topics
        self._plan = plan
        self._board_topic = board_topic
        self._controls = controls or ReplayControls()
        self._random = random.Random(plan.seed)
        self._progress = ReplayProgress()

    def run(self, events: Iterable[AnyEvent]) -> ReplayProgress:
        """Send the events until their end or until `stop` is set, and flush.

        Returns:
            The progress at the end; every record sent is acknowledged.

        Raises:
            DeliveryFailed: a record was not acknowledged by the broker.
        """
        clock: ReplayClock | None = None
        reported = monotonic()
        for event in events:
            if clock is None:
                clock = ReplayClock(event.due, self._plan.speed_up)
                self._progress = ReplayProgress(first_event_time=event.due)
            if not self._wait_until_due(event, clock):
                break
            self._controls.on_send(event)
            self._send(event)
            if monotonic() - reported >= REPORT_INTERVAL_SECONDS:
                reported = monotonic()
                self._controls.report(self._progress)
        self._sink.flush()
        self._controls.report(self._progress)
        return self._progress

    def _wait_until_due(self, event: AnyEvent, clock: ReplayClock) -> bool:
        """Wait until the event is due and not held back; return False if `stop` is set."""
        stop = self._controls.stop
        while (remaining := clock.seconds_until(event.due)) > 0:
            if stop.wait(remaining):
                return False
        while (pause := self._controls.hold(self._progress, event.due)) > 0:
            since = monotonic()
            if stop.wait(pause):
                return False
            clock.postpone(monotonic() - since)
        return not stop.is_set()

    def _send(self, event: AnyEvent) -> None:
        if isinstance(event, BoardEvent):
            self._sink.send(board_record(event.entry, self._board_topic))
            return
        now, flight = self._progress, event.flight
        if event.kind is EventKind.LABEL:
            self._sink.send(label_record(flight, event.event_time, self._topics.labels))
            self._progress = replace(
                now, labels=now.labels + 1, event_time=event.event_time, label_time=event.event_time
            )
            return
        self._sink.send(request_record(flight, self._topics.requests))
        is_with_bad_record = self._random.random() < self._plan.bad_share
        if is_with_bad_record:
            self._sink.send(self._bad_record(flight))
        self._progress = replace(
            now,
            requests=now.requests + 1,
            bad_records=now.bad_records + is_with_bad_record,
            event_time=event.event_time,
        )

    def _bad_record(self, flight: Flight) -> ProducerRecord:
        kind = self._random.choice(self._plan.bad_kinds)
        valid = _request(flight, f"{flight.id}-{kind}")
        value = BAD_RECORDS[kind].make(self._random, valid)
        return ProducerRecord(self._topics.requests, flight.key.encode(), value)


def request_record(flight: Flight, topic: str) -> ProducerRecord:
    """Return the request, at scheduled departure, for a prediction whether a flight is late."""
    # The event time is not used as Kafka timestamp: a timestamp of 2013 is past every retention
    # time, so the broker would soon delete the record.
    return ProducerRecord(topic, flight.key.encode(), encode(_request(flight, flight.id)))


def label_record(flight: Flight, event_time: int, topic: str) -> ProducerRecord:
    """Return the label of a flight that landed at `event_time` (ms)."""
    value = encode(Label(id=flight.id, label=bool(flight.late), event_time=event_time))
    return ProducerRecord(topic, flight.key.encode(), value)


def board_record(entry: BoardEntry, topic: str) -> ProducerRecord:
    """Return the record of an entry of the board: a JSON object with its fields."""
    return ProducerRecord(topic, entry.id.encode(), msgspec.json.encode(entry))


def _request(flight: Flight, request_id: str) -> Request:
    return Request(id=request_id, features={**flight.features}, event_time=flight.scheduled_ms)
