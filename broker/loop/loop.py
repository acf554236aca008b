"""The one consume-process-produce loop."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Event
from time import perf_counter
from typing import NamedTuple, Protocol, TypeVar

import structlog

from modstream.broker.client.delivery import Deliver
from modstream.broker.errors import DeliveryFailed, ProducerLost, TransactionAborted
from modstream.broker.loop.batch_sizing import Pace
from modstream.broker.wire.records import Outgoing, Record

T = TypeVar("T")

Handle = Callable[[Sequence[Record]], Sequence[Outgoing]]
"""Records in, records out: every record of a batch comes back in some form."""

BEAT = 1.0
"""Seconds between two signs of life to the group while a batch is handled or delivered."""


class BatchSource(Protocol):
    """Where batches come from. One thread owns it; only `commit` may be called from others."""

    def poll(self, most: int) -> list[Record]:
        """The next batch of at most so many records, or nothing after an idle wait."""

    def keep_alive(self) -> None:
        """Show the group that this member lives, without taking a record."""

    def before_revoke(self, finish: Callable[[], None]) -> None:
        """Call `finish` before partitions are given away."""

    def owns(self, batch: Iterable[Record]) -> bool:
        """Whether every partition of a batch is still this member's own."""

    def rewind(self, batch: Sequence[Record]) -> None:
        """Hand the batch out again."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What became of one batch: counts, and seconds by stage."""

    records: int
    outgoing: int
    handling: float
    delivering: float


class Handled(NamedTuple):
    """What a handler made of a batch, and the seconds it took."""

    outgoing: Sequence[Outgoing]
    seconds: float


class Shipment(NamedTuple):
    """A batch on its way out; the future tells the seconds of its delivery."""

    batch: Sequence[Record]
    handled: Handled
    delivered: Future[float]


@dataclass(frozen=True, slots=True)
class Loop:
    """Poll a batch, handle it, deliver the outcome with the offsets; a failed batch comes again.

    Handling and delivering have a thread each, so that under a backlog one batch is handled while
    the one before is delivered, and so that a slow handler never costs the membership: meanwhile
    this thread, which owns the source, shows its group every `BEAT` that it lives. Deliveries are
    strictly one after the other. Before partitions are given away the delivery under way ends.

    `attempts` bounds how often delivering may fail in a row before the process gives up: then
    a fault lies in the cluster or in a record, and repeating would only hide it.
    """

    source: BatchSource
    handle: Handle
    deliver: Deliver
    observe: Callable[[Turn], None] = lambda _turn: None
    attempts: int = 10
    pace: Pace = field(default_factory=Pace)

    def run(self, stop: Event) -> None:
        """Turn until `stop` is set; what is in hand is finished first.

        Raises:
            ProducerLost: only a new process may go on.
            BrokerError: the consumer gave up.
        """
        with ExitStack() as threads:
            running = Running(
                self,
                threads.enter_context(ThreadPoolExecutor(1, "handle")),
                threads.enter_context(ThreadPoolExecutor(1, "deliver")),
            )
            self.source.before_revoke(running.finish)
            while not stop.is_set():
                running.turn()
            running.settle()


@dataclass(slots=True)
class Running:
    """A loop while it runs: what is on its way, and how often in a row that has failed."""

    loop: Loop
    handling: ThreadPoolExecutor
    delivering: ThreadPoolExecutor
    shipment: Shipment | None = None
    failures: int = 0

    def turn(self) -> None:
        """Take one batch through; under a backlog its delivery ends during the next turn."""
        source, pace = self.loop.source, self.loop.pace
        most = pace.size
        batch = source.poll(most)
        if not batch:
            self.settle()
            return
        handled = self._attended(self.handling.submit(self._handle, batch))
        pace.took(len(batch), handled.seconds)
        if not self.settle(behind=batch):
            return
        if not source.owns(batch):
            source.rewind(batch)
            return
        self.shipment = Shipment(
            batch, handled, self.delivering.submit(self._deliver, handled.outgoing, batch)
        )
        if len(batch) < most:
            # Nobody waits behind this batch: what comes meanwhile shall share a transaction.
            self.settle()

    def settle(self, behind: Sequence[Record] = ()) -> bool:
        """Wait for the delivery under way; if it failed, rewind it and what was read `behind` it.

        Raises:
            ProducerLost: it cannot be known how it ended, or too many failed in a row.
        """
        shipment, self.shipment = self.shipment, None
        if shipment is None:
            return True
        batch, handled, delivered = shipment
        try:
            seconds = self._attended(delivered)
        except (TransactionAborted, DeliveryFailed) as error:
            self._note_failure(len(batch), error)
            self.loop.source.rewind([*batch, *behind])
            return False
        self.failures = 0
        self.loop.observe(Turn(len(batch), len(handled.outgoing), handled.seconds, seconds))
        return True

    def finish(self) -> None:
        """Wait until nothing is under way, however it ends; that is looked at later."""
        if self.shipment is not None:
            wait([self.shipment.delivered])

    def _attended(self, work: Future[T]) -> T:
        """Wait for work in another thread without losing the membership."""
        while not wait([work], BEAT).done:
            self.loop.source.keep_alive()
        return work.result()

    def _handle(self, batch: Sequence[Record]) -> Handled:
        began = perf_counter()
        outgoing = self.loop.handle(batch)
        return Handled(outgoing, perf_counter() - began)

    def _deliver(self, outgoing: Sequence[Outgoing], batch: Sequence[Record]) -> float:
        began = perf_counter()
        self.loop.deliver(outgoing, batch)
        return perf_counter() - began

    def _note_failure(self, records: int, error: Exception) -> None:
        self.failures += 1
        structlog.get_logger(__name__).warning(
            "batch not delivered", records=records, failures=self.failures, cause=str(error)
        )
        if self.failures >= self.loop.attempts:
            raise ProducerLost(f"{self.failures} deliveries in a row failed, last: {error}")
