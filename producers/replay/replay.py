"""Flights as they happened: requests at scheduled departure, labels at landing, paced."""

import heapq
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import count
from threading import Event as Signal
from time import monotonic

from pydantic import BaseModel, ConfigDict, Field

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Label, Request
from modstream.broker.wire.records import Outgoing
from modstream.broker.wire.topics import Topics
from modstream.producers.ports import Sink
from modstream.producers.records.bad_records import BAD, TOO_LARGE
from modstream.producers.replay.flights import Flight
from modstream.producers.replay.pacing import Hold, Pace, Progress, never

REPORT_EVERY = 1.0


class What(Enum):
    """The two things that happen to a flight."""

    REQUEST = "request"
    LABEL = "label"


@dataclass(frozen=True, slots=True)
class Event:
    """One of them, at its event time (ms)."""

    at: int
    what: What
    flight: Flight


def timeline(flights: Iterable[Flight]) -> Iterator[Event]:
    """Merge requests and labels in event-time order; lazy, holds only the flights in the air.

    Args:
        flights: ordered by their scheduled departure.
    """
    in_air: list[tuple[int, int, Flight]] = []
    tie = count()
    for flight in flights:
        while in_air and in_air[0][0] <= flight.scheduled_ms:
            yield _landing(in_air)
        yield Event(flight.scheduled_ms, What.REQUEST, flight)
        if flight.landed_ms is not None:
            heapq.heappush(in_air, (flight.landed_ms, next(tie), flight))
    while in_air:
        yield _landing(in_air)


def _landing(in_air: list[tuple[int, int, Flight]]) -> Event:
    at, _, flight = heapq.heappop(in_air)
    return Event(at, What.LABEL, flight)


class ReplayPlan(BaseModel):
    """How fast to replay, and how many bad records to mix in."""

    model_config = ConfigDict(frozen=True)

    speed_up: float = Field(default=3600.0, gt=0)
    """Event seconds per second of wall time."""
    faults: float = Field(default=0.0, ge=0, le=1)
    """Bad records per good request, sent in addition under ids of their own."""
    kinds: tuple[str, ...] = tuple(sorted(set(BAD) - {TOO_LARGE}))
    """Kinds of bad records to choose from; the too large ones would fill the disk."""
    seed: int = 2013


@dataclass(frozen=True, slots=True)
class Controls:
    """How the outside steers a running replay, and what it is told once a second."""

    stop: Signal = field(default_factory=Signal)
    hold: Hold = never
    report: Callable[[Progress], None] = lambda _: None


class Replay:
    """Sends a timeline to a stream's topics at its pace."""

    def __init__(
        self, sink: Sink, topics: Topics, plan: ReplayPlan, controls: Controls | None = None
    ) -> None:
        self._sink = sink
        self._topics = topics
        self._plan = plan
        self._controls = controls or Controls()
        self._random = random.Random(plan.seed)
        self._progress = Progress()

    def run(self, events: Iterable[Event]) -> Progress:
        """Send until the events or the caller's patience end; all that was sent is then safe.

        Raises:
            DeliveryFailed: a record was not acknowledged by the broker.
        """
        pace: Pace | None = None
        reported = monotonic()
        for event in events:
            if pace is None:
                pace = Pace(event.at, self._plan.speed_up)
                self._progress = Progress(began=event.at)
            if not self._released(event, pace):
                break
            self._send(event)
            if monotonic() - reported >= REPORT_EVERY:
                reported = monotonic()
                self._controls.report(self._progress)
        self._sink.flush()
        self._controls.report(self._progress)
        return self._progress

    def _released(self, event: Event, pace: Pace) -> bool:
        """Wait until the event is due and nothing holds it back; False once we shall stop."""
        stop = self._controls.stop
        while (remaining := pace.remaining(event.at)) > 0:
            if stop.wait(remaining):
                return False
        while (pause := self._controls.hold(self._progress)) > 0:
            since = monotonic()
            if stop.wait(pause):
                return False
            pace.postpone(monotonic() - since)
        return not stop.is_set()

    def _send(self, event: Event) -> None:
        now, flight = self._progress, event.flight
        if event.what is What.LABEL:
            self._sink.send(label_record(flight, event.at, self._topics.labels))
            self._progress = replace(
                now, labels=now.labels + 1, event_time=event.at, label_time=event.at
            )
            return
        self._sink.send(request_record(flight, self._topics.requests))
        spoiled = self._random.random() < self._plan.faults
        if spoiled:
            self._sink.send(self._fault(flight))
        self._progress = replace(
            now,
            requests=now.requests + 1,
            faults=now.faults + spoiled,
            event_time=event.at,
        )

    def _fault(self, flight: Flight) -> Outgoing:
        kind = self._random.choice(self._plan.kinds)
        victim = _request(flight, f"{flight.id}-{kind}")
        value = BAD[kind].make(self._random, victim)
        return Outgoing(self._topics.requests, flight.key.encode(), value)


def request_record(flight: Flight, topic: str) -> Outgoing:
    """The request that asks, at scheduled departure, whether the flight will be late."""
    # Event time stays in the payload: a Kafka timestamp of 2013 is past every retention, and
    # the cluster would delete the record as soon as it looked.
    return Outgoing(topic, flight.key.encode(), encode(_request(flight, flight.id)))


def label_record(flight: Flight, at: int, topic: str) -> Outgoing:
    """The label of a flight that has landed at `at`; it has one, or it would not be on the way."""
    value = encode(Label(id=flight.id, label=bool(flight.late), event_time=at))
    return Outgoing(topic, flight.key.encode(), value)


def _request(flight: Flight, request_id: str) -> Request:
    return Request(id=request_id, features={**flight.features}, event_time=flight.scheduled_ms)
