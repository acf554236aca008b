"""The merged partial aggregates of one group, and the numbers that are read of them."""

from modstream.processors.features.layout import Block, Grouping, Window
from modstream.processors.features.partials import Partial

Total = tuple[int, Partial]
"""The newest slice of a window, and its merged value."""


class Group:
    """The slices of one group by aggregation, with what was read of them last.

    Of an invertible kind, the merged value of each window is kept. It moves along with the slice
    that is asked for, and every change is merged into it. As the partial aggregates are exact,
    it has always the value that merging all slices of the window anew would have.
    """

    __slots__ = ("_grouping", "_rows", "_totals", "slices")

    def __init__(self, grouping: Grouping) -> None:
        self._grouping = grouping
        self.slices: list[dict[int, Partial]] = [{} for _ in grouping.aggregations]
        self._totals: list[Total | None] = [None] * grouping.windows
        self._rows: list[tuple[int, tuple[float, ...]] | None] = [None] * len(grouping.blocks)

    def change(self, aggregation: int, number: int, partial: Partial, difference: Partial) -> None:
        """Set the value of a slice; `difference` is, of an invertible kind, what it gains."""
        self.slices[aggregation][number] = partial
        self._rows[self._grouping.blocks_of[aggregation]] = None
        totals = self._totals
        for window in self._grouping.windows_of[aggregation]:
            total = totals[window.number]
            if total is not None and total[0] - window.slices < number <= total[0]:
                totals[window.number] = (total[0], window.kind.merge(total[1], difference))

    def remove(self, aggregation: int, number: int) -> bool:
        """Remove a slice; return whether the group has no slices any more."""
        self.slices[aggregation].pop(number, None)
        self._rows[self._grouping.blocks_of[aggregation]] = None
        for window in self._grouping.windows_of[aggregation]:
            self._totals[window.number] = None
        return not any(self.slices)

    def read(self, number: int, block: Block, current: int) -> tuple[float, ...]:
        """Return the numbers of a block at a slice; `number` is the block's index."""
        row = self._rows[number]
        if row is not None and row[0] == current:
            return row[1]
        found: list[float] = []
        for window in block.windows:
            last = current - window.lag
            total = self._totals[window.number]
            if total is None or total[0] != last:
                total = self._totals_at(window, total, last)
            for read in window.reads:
                found.append(read(total[1]))  # noqa: PERF401 - a comprehension costs more for one
        numbers = tuple(found)
        self._rows[number] = (current, numbers)
        return numbers

    def _totals_at(self, window: Window, total: Total | None, last: int) -> Total:
        """Return the merged slices of a window whose newest slice is `last`, and keep them."""
        values = self.slices[window.aggregation]
        kind = window.kind
        if not kind.is_invertible:
            return last, kind.merge_all(_within(values, window.slices, last))
        if total is None or 2 * abs(last - total[0]) >= min(window.slices, len(values)):
            merged = kind.merge_all(_within(values, window.slices, last))
        else:
            merged = _moved(values, window, total, last)
        found = self._totals[window.number] = (last, merged)
        return found


def _within(values: dict[int, Partial], slices: int, last: int) -> list[Partial]:
    first = last - slices + 1
    if len(values) <= slices:
        return [one for number, one in values.items() if first <= number <= last]
    return [values[number] for number in range(first, last + 1) if number in values]


def _moved(values: dict[int, Partial], window: Window, total: Total, last: int) -> Partial:
    """Return the value of a window that is moved from one newest slice to another."""
    before, merged = total
    low, high = before, last
    gain, lose = window.kind.merge, window.kind.subtract
    if last < before:
        low, high, gain, lose = last, before, lose, gain
    for number in range(low + 1, high + 1):
        newer, older = values.get(number), values.get(number - window.slices)
        if newer is not None:
            merged = gain(merged, newer)
        if older is not None:
            merged = lose(merged, older)
    return merged
