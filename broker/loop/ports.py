"""Ports of the loop: the source of batches, the handler, the delivery, and the hooks."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from modstream.broker.wire.records import ProducerRecord, Record


class ModelCost(NamedTuple):
    """The seconds that one model took for a number of rows; `version` is the one that answered."""

    model: str
    rows: int
    seconds: float
    version: int | None = None


class HandlerResult(NamedTuple):
    """The records that a handler made of a batch, and what each model cost."""

    records: Sequence[ProducerRecord]
    costs: Sequence[ModelCost] = ()

    @classmethod
    def joined(cls, results: Sequence["HandlerResult"]) -> "HandlerResult":
        """Return the results of the parts of a batch as one, in their order."""
        if len(results) == 1:
            return results[0]
        return cls(
            [record for result in results for record in result.records],
            [cost for result in results for cost in result.costs],
        )


Handler = Callable[[Sequence[Record]], HandlerResult]
"""Turns a batch into records to produce. Every record of the batch must leave in some form."""


class BatchSource(Protocol):
    """Where batches come from. The loop's thread owns it and alone calls these methods."""

    def poll(self, max_records: int) -> list[Record]:
        """Return the next batch of at most `max_records`, or an empty list after an idle wait."""

    def keep_alive(self) -> None:
        """Send the group a sign of life without taking a record."""

    def before_revoke(self, finish: Callable[[], None]) -> None:
        """Call `finish` before partitions are given up."""

    def owns(self, batch: Iterable[Record]) -> bool:
        """Return whether every partition of a batch is still assigned to this member."""

    def rewind(self, batch: Sequence[Record]) -> None:
        """Seek back, so that the batch is polled again."""


class Delivery(Protocol):
    """Produces the records of a batch and commits the batch's offsets, in a thread of its own.

    Raises TransactionAborted or DeliveryFailed if the batch must be read again, ProducerLost if
    only a new process can go on.
    """

    def __call__(self, records: Iterable[ProducerRecord], batch: Sequence[Record]) -> None:
        """Deliver one batch."""

    def close(self) -> None:
        """Close the connections."""


@dataclass(frozen=True, slots=True)
class BatchStats:
    """A handled batch: how many records came in and go out, and the seconds of handling."""

    records: int
    produced: int
    handling_seconds: float
    costs: Sequence[ModelCost] = ()


class LoopHooks(Protocol):
    """Called by the loop's thread at its events. A hook must be fast and must not raise."""

    def on_batch(self, batch: BatchStats) -> None:
        """Observe a batch that was handled and is not delivered yet."""

    def on_delivery(self, batch: BatchStats, seconds: float) -> None:
        """Observe a batch whose records are produced and whose offsets are committed."""


class NoLoopHooks:
    """Hooks that do nothing."""

    def on_batch(self, batch: BatchStats) -> None:
        """Do nothing."""

    def on_delivery(self, batch: BatchStats, seconds: float) -> None:
        """Do nothing."""
