"""Requests and their labels: late, missing, twice, revised, of nobody's; and what became of them.

Event time is the load's own: request number n is asked at BEGIN + n * STEP_MS, and a label is
given at the time of the request that is sent with it. So both inputs of the join are in order.
"""

from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random
from threading import Event, Thread
from time import monotonic
from typing import NamedTuple, Self

from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import Reader
from modstream.broker.wire.codec import decode, decode_answer, encode
from modstream.broker.wire.contracts import Label, Metrics, Request
from modstream.broker.wire.records import Offsets, Outgoing
from modstream.broker.wire.topics import Topics
from modstream.settings import Settings

BEGIN, STEP_MS = 1_000_000, 10
HORIZON_MS, DISORDER_MS = 20_000, 1_000
SLACK_MS = 500
LEASH_MS = HORIZON_MS * 4 // 5
"""How far the load runs ahead of the joiner's clock: a label that is to be late can still be."""
USUAL = 30
"""Requests between one and its label."""
KEYS, CITIES = 100, 200
TICK = 0.01
EVERY = 40
"""In so many requests, each kind below comes once."""
REFUSED, UNLABELLED, TWICE, REVISED, UNLEARNABLE, AT_ONCE, OF_NOBODY, RUBBISH = range(8)


class Owed(NamedTuple):
    """A label that is sent as soon as `due` requests have been."""

    due: int
    kind: int
    label: Label
    key: bytes


class Later(NamedTuple):
    """A label that must not be sent before the joiner's clock passes `after`, nor beyond `until`.

    Both are event times: sent between them, what it is to be is certain, however the joiner's
    inputs interleave.
    """

    after: int
    until: int
    label: Label
    key: bytes


@dataclass
class LateLoad:
    """Sends in a thread from its context's beginning until `finish`, and follows the topics.

    `rate` is requests per second, `ahead` how many may wait for an answer: far less than the
    horizon, or predictions that come too late would be given up.
    """

    settings: Settings
    seed: int
    rate: float = 200.0
    ahead: int = 400
    sent: int = 0
    answered: set[str] = field(default_factory=set)
    fed_back: int = 0
    joiner: Metrics | None = None
    _owed: deque[Owed] = field(default_factory=deque)
    _later: list[Later] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        self._ending, self._ended, self._leaving = Event(), Event(), Event()
        self._failure: Exception | None = None
        self._thread = Thread(target=self._run, name="late-load")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._leaving.set()
        self._thread.join()

    @property
    def topics(self) -> Topics:
        return self.settings.topics()

    @property
    def now(self) -> int:
        """The load's event time."""
        return BEGIN + self.sent * STEP_MS

    @property
    def watermark(self) -> int:
        """The joiner's clock in that of its partitions which is furthest behind."""
        return (
            0 if self.joiner is None or self.joiner.event_time is None else self.joiner.event_time
        )

    def finish(self) -> None:
        """Send no more than what ends the horizon of everything sent."""
        self._ending.set()

    def feedback(self) -> int:
        """How many records of feedback there are so far; fails if the load has."""
        assert self._failure is None, self._failure
        return self.fed_back

    def is_answered(self) -> bool:
        """Whether the last request was sent and every one answered; fails if the load has."""
        assert self._failure is None, self._failure
        return self._ended.is_set() and len(self.answered) == self.sent + KEYS

    def has_joined(self, ends: Offsets) -> bool:
        """Whether the joiner has taken its inputs up to there, for good."""
        taken = {} if self.joiner is None else self.joiner.offsets
        return all(taken.get(str(home), 0) >= end for home, end in ends.items())

    def _run(self) -> None:
        topics, connection = self.topics, self.settings.connection
        followed = [topics.predictions, topics.feedback, topics.metrics]
        try:
            with ExitStack() as undo:
                out = undo.enter_context(Publisher(connection, "late-load"))
                reader = undo.enter_context(Reader(connection, followed))
                self._send(out, reader)
                self._end(out, reader)
                while not self._leaving.is_set():
                    self._follow(reader)
        except Exception as error:  # noqa: BLE001 - told to the test, whose thread is another
            self._failure = error

    def _send(self, out: Publisher, reader: Reader) -> None:
        due, before = 0.0, monotonic()
        while not self._ending.is_set():
            # What could not be sent in time is not made up for: that would be a burst.
            due = min(due + (monotonic() - before) * self.rate, self.rate / 10)
            before = monotonic()
            while due >= 1 and self._is_followed():
                self._ask(out)
                due -= 1
            self._follow(reader)

    def _is_followed(self) -> bool:
        """Whether neither the worker nor the joiner is too far behind."""
        behind = self.now - max(BEGIN, self.watermark)
        return self.sent - len(self.answered) < self.ahead and behind < LEASH_MS

    def _end(self, out: Publisher, reader: Reader) -> None:
        for owed in self._owed:
            self._say(out, owed.label, owed.key, self.now)
        while len(self.answered) < self.sent and not self._leaving.is_set():
            self._follow(reader)
        at = self.now + HORIZON_MS + 3 * DISORDER_MS
        for number in range(KEYS):
            name, key = f"clock-{number}", b"key-%d" % number
            self._request(out, name, key, self._row()[0], at)
            self._say(out, Label(id=name, label=True, event_time=at), key, at)
        out.flush()
        self._ended.set()

    def _ask(self, out: Publisher) -> None:
        number, kind, at = self.sent, self.sent % EVERY, self.now
        name, key = f"r{number}", b"key-%d" % self._random.randrange(KEYS)
        row, truth = self._row()
        if kind == REFUSED:
            del row["city"]
        self._request(out, name, key, row, at)
        self.sent += 1
        label = Label(id=name, label="perhaps" if kind == UNLEARNABLE else truth, event_time=at)
        if kind == UNLABELLED:
            self._later.append(Later(at + HORIZON_MS + SLACK_MS, at + 2 * HORIZON_MS, label, key))
        elif kind == AT_ONCE:
            self._settle(out, Owed(number, kind, label, key))
        else:
            self._owed.append(Owed(number + USUAL, kind, label, key))
        if kind == OF_NOBODY:
            self._say(out, label.model_copy(update={"id": f"nobody-{number}"}), key, self.now)
        if kind == RUBBISH:
            out.send(Outgoing(self.topics.labels, key, b"rubbish"))
        while self._owed and self._owed[0].due <= self.sent:
            self._settle(out, self._owed.popleft())
        self._send_later(out)

    def _row(self) -> tuple[dict[str, float | str], bool]:
        """Draw a row and its truth."""
        x, y, noise = (self._random.gauss(0, 1) for _ in range(3))
        return {"x": x, "y": y, "city": f"c{self._random.randrange(CITIES)}"}, x + y + noise > 0

    def _settle(self, out: Publisher, owed: Owed) -> None:
        """Send the first label of an id, and plan the one that follows it."""
        given, label = self.now, owed.label
        self._say(out, label, owed.key, given)
        if owed.kind == REVISED:
            label = label.model_copy(update={"label": not label.label, "revision": 1})
        if owed.kind in {TWICE, REVISED}:
            self._later.append(Later(given, given + HORIZON_MS, label, owed.key))

    def _send_later(self, out: Publisher) -> None:
        """Send those whose time has come, and forget those whose time is over."""
        ready = [it for it in self._later if it.after < self.watermark]
        self._later = [it for it in self._later if it.after >= self.watermark]
        for it in ready:
            if self.now <= it.until:
                self._say(out, it.label, it.key, self.now)

    def _request(self, out, name, key, row, at) -> None:
        asked = Request(id=name, features=row, event_time=at)
        out.send(Outgoing(self.topics.requests, key, encode(asked)))

    def _say(self, out: Publisher, label: Label, key: bytes, at: int) -> None:
        given = label.model_copy(update={"event_time": at})
        out.send(Outgoing(self.topics.labels, key, encode(given)))

    def _follow(self, reader: Reader) -> None:
        for record in reader.poll(TICK):
            if record.topic == self.topics.predictions:
                self.answered.add(decode_answer(record).id)
            elif record.topic == self.topics.feedback:
                self.fed_back += 1
            elif record.topic == self.topics.metrics:
                metrics = decode(Metrics, record.value)
                self.joiner = metrics if metrics.kind == "joiner" else self.joiner
