"""Labels that wait for their prediction for longer than an answer takes, and the likely reason."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from modstream.broker.wire.contract_errors import printable
from modstream.processors.join.entry import JoinEntry
from modstream.processors.join.partition import PartitionJoin

PATIENCE_S = 10.0
"""Seconds that a label waits, while all predictions are read, before it is reported."""


class WaitingLabels(NamedTuple):
    """How many labels wait for their prediction, one that has waited too long, and why it does."""

    waiting: int
    request_id: str
    key: str
    partition: int
    reason: str

    def __str__(self) -> str:
        labels = "1 label waits" if self.waiting == 1 else f"{self.waiting:,} labels wait"
        return f"{labels} for a prediction, such as that of {self.request_id}: {self.reason}"


class WaitingLabelsMonitor:
    """Finds labels that wait too long.

    A label that arrives before its prediction waits for a moment. A label whose request has another
    id or key, or was never answered, waits for the whole horizon.
    """

    def __init__(self) -> None:
        self._oldest: dict[int, tuple[str, float]] = {}

    def find(
        self, partitions: Mapping[int, PartitionJoin], finished: Collection[int], now: float
    ) -> WaitingLabels | None:
        """Return the labels that wait, if one of them has waited too long.

        Args:
            partitions: the partitions of this process.
            finished: the numbers of those whose predictions were read to their end.
            now: seconds of a monotonic clock.
        """
        before, self._oldest = self._oldest, {}
        overdue: list[tuple[float, int, JoinEntry]] = []
        for number, partition in partitions.items():
            oldest = partition.oldest_waiting_label()
            if oldest is None:
                continue
            key, since = before.get(number, ("", now))
            since = since if key == oldest.row_key else now
            self._oldest[number] = (oldest.row_key, since)
            if number in finished and now - since >= PATIENCE_S:
                overdue.append((since, number, oldest))
        if not overdue:
            return None
        _, number, entry = min(overdue, key=lambda one: one[:2])
        count = sum(partition.waiting_label_count for partition in partitions.values())
        others = {other: one for other, one in partitions.items() if other != number}
        reason = _likely_reason(entry, others)
        return WaitingLabels(count, printable(entry.id), _shown_key(entry), number, reason)


def _likely_reason(entry: JoinEntry, others: Mapping[int, PartitionJoin]) -> str:
    for number, partition in others.items():
        answered = partition.answered(entry.id)
        if answered is not None and answered.message_key == entry.message_key:
            return (
                f"it was sent to another partition than its prediction, which is in {number}; let"
                " the client that sends labels use the partitioner murmur2"
            )
        if answered is not None:
            return (
                f"its key is {_shown_key(entry)}, and that of its request {_shown_key(answered)};"
                " send a label with the key of its request"
            )
    return (
        "no request with this id and key has been answered; send a label with the id and the key"
        " of its request"
    )


def _shown_key(entry: JoinEntry) -> str:
    return printable(entry.message_key.decode(errors="replace"))
