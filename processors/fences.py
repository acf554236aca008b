"""Fences: from which offset on a partition's requests are answered by which version.

They are written beside the first answers of a version, in their transaction, so a fence stands in
its topic exactly if those answers do. The memory here only keeps them from being written again; it
follows a reader that is rewound, and begins anew where a partition was somebody else's meanwhile.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from broker.codec import encode
from broker.contracts import Fence, Source
from broker.records import Outgoing, Record, TopicPartition
from models.card import ModelCard
from processors.assemble import Ask, key_of

Pair = tuple[str, int | str]
"""A model's name with the version or alias that requests ask for."""
REMEMBERED = 1000
"""Pairs; one that was forgotten is fenced again, which is as true as the first time."""


@dataclass(frozen=True, slots=True)
class Run:
    """The version that a pair means now, and the offset of its first answer by partition."""

    version: int
    sha256: str
    since: dict[int, int] = field(default_factory=dict)


class Fences:
    """The runs of the partitions that a worker holds.

    `tenure` counts how often a partition was assigned to this worker.
    """

    def __init__(self, topic: str, tenure: Callable[[TopicPartition], int]) -> None:
        self._topic = topic
        self._tenure = tenure
        self._tenures: dict[TopicPartition, int] = {}
        self._runs: OrderedDict[Pair, Run] = OrderedDict()

    def crossed(
        self, card: ModelCard, ref: int | str, asks: Sequence[Ask]
    ) -> Iterator[tuple[Ask, Outgoing]]:
        """The fences that a version's answers under a reference come to; mostly none."""
        if not asks:
            return
        self._forget_what_was_lost()
        since = self._run(card, ref).since
        for ask in asks:
            record = ask.record
            # At or before what is known, the batch is being handled again: that fence was aborted.
            if record.offset <= since.get(record.partition, record.offset):
                since[record.partition] = record.offset
                self._tenures[record.home] = self._tenure(record.home)
                yield ask, self._fence(card, ref, record, ask.request.id)

    def _run(self, card: ModelCard, ref: int | str) -> Run:
        pair = card.name, ref
        run = self._runs.get(pair)
        if run is None or (run.version, run.sha256) != (card.version, card.sha256):
            run = self._runs[pair] = Run(card.version, card.sha256)
        self._runs.move_to_end(pair)
        if len(self._runs) > REMEMBERED:
            self._runs.popitem(last=False)
        return run

    def _forget_what_was_lost(self) -> None:
        lost = [home for home, tenure in self._tenures.items() if self._tenure(home) != tenure]
        for home in lost:
            del self._tenures[home]
            for run in self._runs.values():
                run.since.pop(home.partition, None)

    def _fence(self, card: ModelCard, ref: int | str, record: Record, request_id: str) -> Outgoing:
        fence = Fence(
            model=card.name,
            ref=ref,
            version=card.version,
            sha256=card.sha256,
            parent=card.parent,
            source=Source(topic=record.topic, partition=record.partition, offset=record.offset),
        )
        return Outgoing(self._topic, key_of(record, request_id), encode(fence))
