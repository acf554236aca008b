"""The consume-process-produce loop."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Event
from time import perf_counter
from typing import NamedTuple, TypeVar

import structlog

from modstream.broker.errors import DeliveryFailed, ProducerLost, TransactionAborted
from modstream.broker.loop.batch_sizing import AdaptiveBatchSize
from modstream.broker.loop.ports import (
    BatchSource,
    BatchStats,
    Delivery,
    Handler,
    HandlerResult,
    LoopHooks,
    NoLoopHooks,
)
from modstream.broker.wire.records import Record

T = TypeVar("T")

HEARTBEAT_INTERVAL_S = 1.0
"""Seconds between two signs of life to the group while a batch is handled or delivered."""


@dataclass(frozen=True, slots=True)
class Loop:
    """Poll a batch, handle it, deliver the result with the offsets; retry a failed batch.

    Handling and delivery run in one thread each: under a backlog, one batch is handled while the
    previous one is delivered. Meanwhile the calling thread, which owns the source, sends a sign of
    life every `HEARTBEAT_INTERVAL_S`, so that a slow handler keeps its group membership.
    Deliveries are strictly sequential. Before partitions are given up, the delivery in flight is
    awaited.

    `max_failures` deliveries that fail in a row end the process: then the cluster or a record is
    at fault, and further retries would only hide it.
    """

    source: BatchSource
    handle: Handler
    deliver: Delivery
    hooks: LoopHooks = field(default_factory=NoLoopHooks)
    max_failures: int = 10
    batch_size: AdaptiveBatchSize = field(default_factory=AdaptiveBatchSize)

    def run(self, stop: Event) -> None:
        """Run until `stop` is set; the batch in hand is finished first.

        Raises:
            ProducerLost: only a new process can go on.
            BrokerError: the consumer failed for good.
        """
        with ExitStack() as threads:
            state = LoopState(
                self,
                threads.enter_context(ThreadPoolExecutor(1, "handle")),
                threads.enter_context(ThreadPoolExecutor(1, "deliver")),
            )
            self.source.before_revoke(state.wait_in_flight)
            while not stop.is_set():
                state.run_once()
            state.await_delivery()


class InFlightDelivery(NamedTuple):
    """A batch that is being delivered; the future's result is the seconds that it took."""

    batch: Sequence[Record]
    stats: BatchStats
    seconds: Future[float]


class Handled(NamedTuple):
    """The handler's result, and the seconds that it took."""

    result: HandlerResult
    seconds: float


@dataclass(slots=True)
class LoopState:
    """A running loop: its threads, the delivery in flight, and the failures in a row."""

    loop: Loop
    handler_thread: ThreadPoolExecutor
    delivery_thread: ThreadPoolExecutor
    in_flight: InFlightDelivery | None = None
    failures: int = 0

    def run_once(self) -> None:
        """Process one batch; under a backlog its delivery ends during the next call."""
        source, batch_size = self.loop.source, self.loop.batch_size
        max_records = batch_size.size
        batch = source.poll(max_records)
        if not batch:
            self.await_delivery()
            return
        result, seconds = self._wait_heartbeating(self.handler_thread.submit(self._handle, batch))
        stats = BatchStats(len(batch), len(result.records), seconds, result.costs)
        batch_size.observe(stats)
        self.loop.hooks.on_batch(stats)
        if not self.await_delivery(behind=batch):
            return
        if not source.owns(batch):
            source.rewind(batch)
            return
        delivery = self.delivery_thread.submit(self._deliver, result, batch)
        self.in_flight = InFlightDelivery(batch, stats, delivery)
        if len(batch) < max_records:
            # There is no backlog. Records that arrive during this delivery share a transaction.
            self.await_delivery()

    def await_delivery(self, behind: Sequence[Record] = ()) -> bool:
        """Wait for the delivery in flight; if it failed, rewind its batch and `behind`.

        Returns:
            Whether it succeeded; True if none was in flight.

        Raises:
            ProducerLost: the outcome is unknown, or too many deliveries failed in a row.
        """
        in_flight, self.in_flight = self.in_flight, None
        if in_flight is None:
            return True
        try:
            seconds = self._wait_heartbeating(in_flight.seconds)
        except (TransactionAborted, DeliveryFailed) as error:
            self._note_failure(len(in_flight.batch), error)
            self.loop.source.rewind([*in_flight.batch, *behind])
            return False
        self.failures = 0
        self.loop.hooks.on_delivery(in_flight.stats, seconds)
        return True

    def wait_in_flight(self) -> None:
        """Wait until the delivery in flight has ended; `await_delivery` reads its outcome later."""
        if self.in_flight is not None:
            wait([self.in_flight.seconds])

    def _wait_heartbeating(self, work: Future[T]) -> T:
        """Wait for another thread's work without losing the group membership."""
        while not wait([work], HEARTBEAT_INTERVAL_S).done:
            self.loop.source.keep_alive()
        return work.result()

    def _handle(self, batch: Sequence[Record]) -> Handled:
        start = perf_counter()
        result = self.loop.handle(batch)
        return Handled(result, perf_counter() - start)

    def _deliver(self, result: HandlerResult, batch: Sequence[Record]) -> float:
        start = perf_counter()
        self.loop.deliver(result.records, batch)
        return perf_counter() - start

    def _note_failure(self, records: int, error: Exception) -> None:
        self.failures += 1
        structlog.get_logger(__name__).warning(
            "batch not delivered", records=records, failures=self.failures, cause=str(error)
        )
        if self.failures >= self.loop.max_failures:
            raise ProducerLost(f"{self.failures} deliveries in a row failed, last: {error}")
