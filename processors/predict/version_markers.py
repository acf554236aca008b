"""Fences: from which offset on a partition's requests are answered by which version.

They are written beside the first answers of a version, in their transaction, so a fence stands in
its topic exactly if those answers do. The memory here only keeps them from being written again; it
follows a reader that is rewound, and begins anew where a partition was somebody else's meanwhile.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from modstream.broker.wire.codec import decode_request, encode
from modstream.broker.wire.contracts import Fence, Source
from modstream.broker.wire.records import Offsets, Outgoing, Record, TopicPartition
from modstream.models.schema.card import ModelCard
from modstream.processors.predict.batching import key_of

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

    def is_settled(self, card: ModelCard, ref: int | str, starts: Offsets) -> bool:
        """Whether a batch that starts there comes to no fence of a version under a reference.

        Asked of whole batches, since it holds for nearly all; else `crossed` looks closer.
        """
        self._forget_what_was_lost()
        since = self._run(card, ref).since
        return all(since.get(home.partition, start) < start for home, start in starts.items())

    def crossed(
        self, card: ModelCard, ref: int | str, firsts: Mapping[int, Record]
    ) -> Iterator[tuple[int, Outgoing]]:
        """The fences that a version's answers under a reference come to; mostly none.

        Args:
            card: the version's.
            ref: what the requests called it.
            firsts: by its place in the batch, the first of them in each partition.

        Returns:
            Each fence with the place of the request whose answer it stands beside.
        """
        if not firsts:
            return
        self._forget_what_was_lost()
        since = self._run(card, ref).since
        for place, record in firsts.items():
            # At or before what is known, the batch is being handled again: that fence was aborted.
            if record.offset <= since.get(record.partition, record.offset):
                since[record.partition] = record.offset
                self._tenures[record.home] = self._tenure(record.home)
                yield place, self._fence(card, ref, record)

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

    def _fence(self, card: ModelCard, ref: int | str, record: Record) -> Outgoing:
        fence = Fence(
            model=card.name,
            ref=ref,
            version=card.version,
            sha256=card.sha256,
            parent=card.parent,
            source=Source(topic=record.topic, partition=record.partition, offset=record.offset),
        )
        return Outgoing(self._topic, key_of(record, decode_request(record).id), encode(fence))
