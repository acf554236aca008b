"""The layout of the state: which windows are read of a group, and which numbers make each feature.

Features with the same group are read together. A *block* has those whose slices are equally wide:
its numbers for a group and a slice are computed at once, and kept until an event changes them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from modstream.processors.features.aggregation import Aggregation
from modstream.processors.features.definition import Aggregate, FeatureDefinition
from modstream.processors.features.feature_set import (
    FeatureSet,
    has_shared_prior,
    prior_aggregation,
)
from modstream.processors.features.numbers import (
    count_of,
    last_of,
    mean_of,
    overdue_of,
    sum_of,
)
from modstream.processors.features.partials import KINDS, Partial, PartialKind
from modstream.processors.features.sketches import distinct_count, quantile_of

Read = Callable[[Partial], float]
"""Returns a number of the merged partial aggregates of a window."""


@dataclass(slots=True)
class Window:
    """The newest slices of an aggregation. `lag` is 1 if the current slice is left out.

    `aggregation` and `number` are indexes among those of the group; `reads` has a function for
    each number that is read.
    """

    aggregation: int
    number: int
    slices: int
    lag: int
    kind: PartialKind
    reads: list[Read] = field(default_factory=list)


@dataclass(slots=True)
class Block:
    """The windows of a group with slices of one width, and the numbers for an unknown group."""

    slice_ms: int
    windows: list[Window] = field(default_factory=list)
    empty: tuple[float, ...] = ()

    def place_of(self, window: Window, read: int) -> int:
        """Return the index, among the block's numbers, of one that is read of a window."""
        before = self.windows[: self.windows.index(window)]
        return sum(len(one.reads) for one in before) + read


@dataclass(slots=True)
class Grouping:
    """All that is read of the groups of some fields.

    `aggregations` are the ids of the aggregations, `blocks_of` and `windows_of` the indexes of the
    block and the windows of each.
    """

    fields: tuple[str, ...]
    aggregations: list[str] = field(default_factory=list)
    blocks_of: list[int] = field(default_factory=list)
    windows_of: list[list[Window]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    windows: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a number is: the grouping, the block in it, and the index in the block."""

    grouping: int
    block: int
    index: int


@dataclass(frozen=True, slots=True)
class ReadFeature:
    """How a feature is made of numbers: one number, or for a rate: sum, count, prior's ones."""

    definition: FeatureDefinition
    places: tuple[Place, ...]

    @property
    def aggregate(self) -> Aggregate:
        """What the feature is."""
        return self.definition.aggregate


class Layout:
    """The layout for the features of a stream."""

    def __init__(self, features: FeatureSet) -> None:
        self.groupings: list[Grouping] = []
        self._window_places: dict[tuple[Aggregation, int], tuple[int, int, Window]] = {}
        self._reads: dict[tuple[Aggregation, int, object], int] = {}
        for aggregation in features.aggregations.values():
            self._add(aggregation)
        for one in features.definitions:
            for aggregation, reads in _reads_of(one):
                self._add_reads(aggregation, one, reads)
        for grouping in self.groupings:
            for block in grouping.blocks:
                block.empty = tuple(
                    read(one.kind.empty) for one in block.windows for read in one.reads
                )
        self.features = [self._feature(one) for one in features.definitions]
        self.positions = {
            name: (number, index)
            for number, grouping in enumerate(self.groupings)
            for index, name in enumerate(grouping.aggregations)
        }

    def longest(self, grouping: int, aggregation: int) -> int:
        """Return the number of slices, up to the current one, that some window still reads."""
        windows = self.groupings[grouping].windows_of[aggregation]
        return max((one.slices + one.lag for one in windows), default=0)

    def _add(self, aggregation: Aggregation) -> None:
        fields = [one.fields for one in self.groupings]
        if aggregation.group not in fields:
            self.groupings.append(Grouping(aggregation.group))
            fields.append(aggregation.group)
        grouping = self.groupings[fields.index(aggregation.group)]
        widths = [one.slice_ms for one in grouping.blocks]
        if aggregation.slice_ms not in widths:
            grouping.blocks.append(Block(aggregation.slice_ms))
            widths.append(aggregation.slice_ms)
        grouping.aggregations.append(aggregation.id)
        grouping.blocks_of.append(widths.index(aggregation.slice_ms))
        grouping.windows_of.append([])

    def _add_reads(
        self, aggregation: Aggregation, one: FeatureDefinition, reads: dict[object, Read]
    ) -> None:
        _, _, window = self._window(aggregation, one.slices)
        for name, read in reads.items():
            key = (aggregation, one.slices, name)
            if key not in self._reads:
                self._reads[key] = len(window.reads)
                window.reads.append(read)

    def _window(self, aggregation: Aggregation, slices: int) -> tuple[int, int, Window]:
        key = (aggregation, slices)
        if key not in self._window_places:
            fields = [one.fields for one in self.groupings]
            number = fields.index(aggregation.group)
            grouping = self.groupings[number]
            index = grouping.aggregations.index(aggregation.id)
            block = grouping.blocks_of[index]
            lag = 0 if aggregation.due is None else 1
            window = Window(index, grouping.windows, slices, lag, KINDS[aggregation.kind])
            grouping.windows += 1
            grouping.windows_of[index].append(window)
            grouping.blocks[block].windows.append(window)
            self._window_places[key] = (number, block, window)
        return self._window_places[key]

    def _feature(self, one: FeatureDefinition) -> ReadFeature:
        places = []
        for aggregation, reads in _reads_of(one):
            number, block, window = self._window(aggregation, one.slices)
            for name in reads:
                read = self._reads[aggregation, one.slices, name]
                index = self.groupings[number].blocks[block].place_of(window, read)
                places.append(Place(number, block, index))
        return ReadFeature(one, tuple(places))


def _reads_of(one: FeatureDefinition) -> list[tuple[Aggregation, dict[object, Read]]]:
    """Return what a feature reads of which aggregations; equal names are equal functions."""
    aggregation = Aggregation.of(one)
    if one.aggregate == "rate":
        sums: dict[object, Read] = {"sum": sum_of, "count": count_of}
        shared = [(prior_aggregation(one), sums)] if has_shared_prior(one) else []
        return [(aggregation, sums), *shared]
    if one.aggregate == "quantile":
        share = one.quantile or 0.0
        return [(aggregation, {share: lambda histogram: quantile_of(histogram, share)})]
    simple: dict[Aggregate, Read] = {
        "count": float if aggregation.kind == "count" else count_of,
        "sum": sum_of,
        "mean": mean_of,
        "min": float,
        "max": float,
        "last": last_of,
        "distinct": distinct_count,
        "time_since": float,
        "overdue": overdue_of,
    }
    return [(aggregation, {one.aggregate: simple[one.aggregate]})]
