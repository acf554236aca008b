"""Random ids, and the partitions of their keys: for some milliseconds the same partition.

A request without a key of its own has its id as its key. With a partition for each, it would be a
batch of its own on its way through Kafka. KIP-480 does the same for records without keys.
"""

from collections import deque
from collections.abc import Callable
from os import urandom
from time import monotonic

ID_BYTES = 16
"""Bytes of an id: 128 random bits, so that nobody guesses the id of another caller's request."""
DRAWN_TOGETHER = 256
"""Number of ids for which random bytes are drawn at once; a system call for each is slow."""
SAME_PARTITION_SECONDS = 0.004
"""How long the ids are in the same partition; longer, and the workers of others would wait."""


class RandomIds:
    """Gives unique ids that cannot be guessed; for one thread.

    `partition_of` returns the partition of a key; `clock` the time in seconds.
    """

    def __init__(
        self, partition_of: Callable[[bytes], int], clock: Callable[[], float] = monotonic
    ) -> None:
        self._partition_of = partition_of
        self._clock = clock
        self._partition = 0
        self._ids: list[str] = []
        self._others: deque[tuple[int, list[str]]] = deque()
        self._change_at = 0.0

    def next(self) -> tuple[str, int]:
        """Return an id of 32 hexadecimal digits, and the partition of this key."""
        now = self._clock()
        if not self._ids or now >= self._change_at:
            self._change_partition()
            self._change_at = now + SAME_PARTITION_SECONDS
        return self._ids.pop(), self._partition

    def _change_partition(self) -> None:
        if self._ids:
            self._others.append((self._partition, self._ids))
        if not self._others:
            self._draw()
        self._partition, self._ids = self._others.popleft()

    def _draw(self) -> None:
        drawn: dict[int, list[str]] = {}
        random = urandom(ID_BYTES * DRAWN_TOGETHER).hex()
        for start in range(0, len(random), 2 * ID_BYTES):
            found = random[start : start + 2 * ID_BYTES]
            drawn.setdefault(self._partition_of(found.encode()), []).append(found)
        self._others.extend(drawn.items())
