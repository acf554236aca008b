"""The one consume-process-produce loop."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from threading import Event
from time import perf_counter
from typing import Protocol

import structlog

from broker.delivery import Deliver
from broker.errors import DeliveryFailed, ProducerLost, TransactionAborted
from broker.records import Outgoing, Record

Handle = Callable[[Sequence[Record]], Sequence[Outgoing]]
"""Records in, records out: every record of a batch comes back in some form."""


class BatchSource(Protocol):
    """Where batches come from."""

    def poll(self) -> list[Record]:
        """The next batch, or nothing after an idle wait."""

    def rewind(self, batch: Iterable[Record]) -> None:
        """Hand the batch out again."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of the loop did: counts, and seconds by stage."""

    records: int
    outgoing: int
    handling: float
    delivering: float


@dataclass(frozen=True, slots=True)
class Loop:
    """Poll a batch, handle it, deliver the outcome with the offsets; a failed batch comes again.

    `attempts` bounds how often one batch may fail to be delivered before the process gives up:
    then a fault lies in the cluster or in a record, and repeating would only hide it.
    """

    source: BatchSource
    handle: Handle
    deliver: Deliver
    observe: Callable[[Turn], None] = lambda _turn: None
    attempts: int = 10

    def run(self, stop: Event) -> None:
        """Turn until `stop` is set; the batch in hand is finished first.

        Raises:
            ProducerLost: only a new process may go on.
            BrokerError: the consumer gave up.
        """
        failures = 0
        while not stop.is_set():
            batch = self.source.poll()
            if not batch:
                continue
            try:
                turn = self._turn(batch)
            except (TransactionAborted, DeliveryFailed) as error:
                failures += 1
                self._read_again(batch, error, failures)
                continue
            failures = 0
            self.observe(turn)

    def _turn(self, batch: Sequence[Record]) -> Turn:
        begun = perf_counter()
        outgoing = self.handle(batch)
        handled = perf_counter()
        self.deliver(outgoing, batch)
        return Turn(len(batch), len(outgoing), handled - begun, perf_counter() - handled)

    def _read_again(self, batch: Sequence[Record], error: Exception, failures: int) -> None:
        structlog.get_logger(__name__).warning(
            "batch not delivered", records=len(batch), failures=failures, cause=str(error)
        )
        if failures >= self.attempts:
            raise ProducerLost(f"{failures} deliveries in a row failed, last: {error}")
        self.source.rewind(batch)
