"""A load of requests and labels: late, missing, duplicate, revised and orphaned labels.

The load has its own event time: request number n has START_MS + n * STEP_MS, and a label has the
event time of the request that is sent with one. So both inputs of the join are in order.
"""

from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random
from threading import Event, Thread
from time import monotonic
from typing import NamedTuple, Self

from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import Reader
from modstream.broker.wire.codec import decode, decode_response, encode
from modstream.broker.wire.contracts import Label, Request
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import Offsets, ProducerRecord
from modstream.broker.wire.topics import Topics
from modstream.settings import Settings

START_MS, STEP_MS = 1_000_000, 10
HORIZON_MS, DISORDER_MS = 20_000, 1_000
SLACK_MS = 500
MAX_AHEAD_MS = HORIZON_MS * 4 // 5
"""Maximum lead of the load over the joiner's clock, so that planned late labels can be late."""
LABEL_AFTER = 30
"""Number of requests between a request and its label."""
KEYS, CITIES = 100, 200
POLL_SECONDS = 0.01
KINDS_PERIOD = 40
"""Number of requests in which each kind below occurs once."""
REFUSED, UNLABELLED, TWICE, REVISED, UNLEARNABLE, IMMEDIATE, ORPHAN, INVALID = range(8)


class DueLabel(NamedTuple):
    """A label that is sent as soon as `due` requests were sent."""

    due: int
    kind: int
    label: Label
    key: bytes


class TimedLabel(NamedTuple):
    """A label that is sent after the joiner's clock has passed `after`, and not after `until`.

    Both are event times. Between them the result of the join does not depend on how the joiner's
    inputs interleave.
    """

    after: int
    until: int
    label: Label
    key: bytes


@dataclass
class LabelLoad:
    """A load in a background thread, which sends until `finish` and also reads the output topics.

    `rate` is requests per second. `max_unanswered` is the maximum number of unanswered requests; it
    must be far below the horizon, or the joiner would drop late predictions.
    """

    settings: Settings
    seed: int
    rate: float = 200.0
    max_unanswered: int = 400
    sent: int = 0
    responded: set[str] = field(default_factory=set)
    feedback_count: int = 0
    joiner_metrics: Metrics | None = None
    _due: deque[DueLabel] = field(default_factory=deque)
    _timed: list[TimedLabel] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        self._finishing, self._finished, self._closing = Event(), Event(), Event()
        self._failure: Exception | None = None
        self._thread = Thread(target=self._run, name="label-load")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._finishing.set()
        self._closing.set()
        self._thread.join()

    @property
    def topics(self) -> Topics:
        return self.settings.topics()

    @property
    def now(self) -> int:
        """The current event time of the load."""
        return START_MS + self.sent * STEP_MS

    @property
    def joiner_time(self) -> int:
        """The joiner's event time in its slowest partition; 0 before the first metrics."""
        return (self.joiner_metrics and self.joiner_metrics.event_time) or 0

    def finish(self) -> None:
        """Stop the load; send only what advances the event time past all horizons."""
        self._finishing.set()

    def check_feedback_count(self) -> int:
        """Return the number of feedback records so far; fail if the load has failed."""
        assert self._failure is None, self._failure
        return self.feedback_count

    def is_answered(self) -> bool:
        """Whether all requests were sent and have responses; fails if the load has failed."""
        assert self._failure is None, self._failure
        return self._finished.is_set() and len(self.responded) == self.sent + KEYS

    def has_joined(self, ends: Offsets) -> bool:
        """Whether the joiner has committed its inputs up to these end offsets."""
        committed = {} if self.joiner_metrics is None else self.joiner_metrics.offsets
        return all(committed.get(str(partition), 0) >= end for partition, end in ends.items())

    def _run(self) -> None:
        topics, connection = self.topics, self.settings.connection
        topics_read = [topics.predictions, topics.feedback, topics.metrics]
        try:
            with ExitStack() as stack:
                publisher = stack.enter_context(Publisher(connection, "label-load"))
                reader = stack.enter_context(Reader(connection, topics_read))
                self._send(publisher, reader)
                self._send_rest(publisher, reader)
                while not self._closing.is_set():
                    self._poll(reader)
        except Exception as error:  # noqa: BLE001 - raised in the test's thread
            self._failure = error

    def _send(self, publisher: Publisher, reader: Reader) -> None:
        due, before = 0.0, monotonic()
        while not self._finishing.is_set():
            # Requests that could not be sent in time are skipped, or they would cause a burst.
            due = min(due + (monotonic() - before) * self.rate, self.rate / 10)
            before = monotonic()
            while due >= 1 and self._is_within_bounds():
                self._send_request(publisher)
                due -= 1
            self._poll(reader)

    def _is_within_bounds(self) -> bool:
        """Whether neither the worker nor the joiner lags too far behind."""
        behind = self.now - max(START_MS, self.joiner_time)
        return self.sent - len(self.responded) < self.max_unanswered and behind < MAX_AHEAD_MS

    def _send_rest(self, publisher: Publisher, reader: Reader) -> None:
        for due_label in self._due:
            self._produce_label(publisher, due_label.label, due_label.key, self.now)
        publisher.flush()
        while len(self.responded) < self.sent and not self._closing.is_set():
            self._poll(reader)
        # A label that is read after the clock has advanced waits for a whole horizon from then on.
        sent = Admin(self.settings.connection).end_offsets([self.topics.labels])
        while not self.has_joined(sent) and not self._closing.is_set():
            self._poll(reader)
        at = self.now + HORIZON_MS + 3 * DISORDER_MS
        for number in range(KEYS):
            name, key = f"clock-{number}", b"key-%d" % number
            self._produce_request(publisher, name, key, self._row()[0], at)
            self._produce_label(publisher, Label(id=name, label=True, event_time=at), key, at)
        publisher.flush()
        self._finished.set()

    def _send_request(self, publisher: Publisher) -> None:
        number, kind, at = self.sent, self.sent % KINDS_PERIOD, self.now
        name, key = f"r{number}", b"key-%d" % self._random.randrange(KEYS)
        row, truth = self._row()
        if kind == REFUSED:
            del row["city"]
        self._produce_request(publisher, name, key, row, at)
        self.sent += 1
        label = Label(id=name, label="perhaps" if kind == UNLEARNABLE else truth, event_time=at)
        if kind == UNLABELLED:
            self._timed.append(
                TimedLabel(at + HORIZON_MS + SLACK_MS, at + 2 * HORIZON_MS, label, key)
            )
        elif kind == IMMEDIATE:
            self._send_due(publisher, DueLabel(number, kind, label, key))
        else:
            self._due.append(DueLabel(number + LABEL_AFTER, kind, label, key))
        if kind == ORPHAN:
            self._produce_label(
                publisher, label.model_copy(update={"id": f"orphan-{number}"}), key, self.now
            )
        if kind == INVALID:
            publisher.send(ProducerRecord(self.topics.labels, key, b"invalid"))
        while self._due and self._due[0].due <= self.sent:
            self._send_due(publisher, self._due.popleft())
        self._send_timed(publisher)

    def _row(self) -> tuple[dict[str, float | str], bool]:
        """Draw a row and its label."""
        x, y, noise = (self._random.gauss(0, 1) for _ in range(3))
        return {"x": x, "y": y, "city": f"c{self._random.randrange(CITIES)}"}, x + y + noise > 0

    def _send_due(self, publisher: Publisher, due_label: DueLabel) -> None:
        """Send the first label of an id, and plan a second one if its kind has one."""
        given, label = self.now, due_label.label
        self._produce_label(publisher, label, due_label.key, given)
        if due_label.kind == REVISED:
            label = label.model_copy(update={"label": not label.label, "revision": 1})
        if due_label.kind in {TWICE, REVISED}:
            self._timed.append(TimedLabel(given, given + HORIZON_MS, label, due_label.key))

    def _send_timed(self, publisher: Publisher) -> None:
        """Send the timed labels that are due, and drop those whose time is over."""
        ready = [one for one in self._timed if one.after < self.joiner_time]
        self._timed = [one for one in self._timed if one.after >= self.joiner_time]
        for one in ready:
            if self.now <= one.until:
                self._produce_label(publisher, one.label, one.key, self.now)

    def _produce_request(self, publisher, name, key, row, at) -> None:
        request = Request(id=name, features=row, event_time=at)
        publisher.send(ProducerRecord(self.topics.requests, key, encode(request)))

    def _produce_label(self, publisher: Publisher, label: Label, key: bytes, at: int) -> None:
        given = label.model_copy(update={"event_time": at})
        publisher.send(ProducerRecord(self.topics.labels, key, encode(given)))

    def _poll(self, reader: Reader) -> None:
        for record in reader.poll(POLL_SECONDS):
            if record.topic == self.topics.predictions:
                self.responded.add(decode_response(record).id)
            elif record.topic == self.topics.feedback:
                self.feedback_count += 1
            elif record.topic == self.topics.metrics:
                metrics = decode(Metrics, record.value)
                self.joiner_metrics = metrics if metrics.kind == "joiner" else self.joiner_metrics
