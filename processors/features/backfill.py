"""Features of recorded requests, computed by the same functions as those that are served."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modstream.processors.features.distinct_keys import (
    IntColumn,
    distinct_groups,
    distinct_texts,
)
from modstream.processors.features.events import REQUESTS, Event
from modstream.processors.features.feature_set import FeatureSet
from modstream.processors.features.reader import FeatureReader, FloatColumn
from modstream.processors.features.state import FeatureState

OWNER = "backfill"
CHUNK = 8192
"""The number of requests whose features are made at once."""


@dataclass(frozen=True, slots=True)
class RecordedRequests:
    """Requests in the order of their arrival: ids, features by name, and times in ms, shape (n,).

    `arrivals` are when they were answered; events that had arrived by then are known to them.
    """

    ids: Sequence[str]
    columns: Mapping[str, Sequence[object]]
    times: IntColumn
    arrivals: IntColumn

    def events(self, fields: Iterable[str]) -> Iterator[Event]:
        """Yield the requests as events with the given fields."""
        names = [name for name in fields if name in self.columns]
        columns = [_listed(self.columns[name]) for name in names]
        rows = zip(*columns, strict=True) if columns else iter([()] * len(self.ids))
        for request, time, row in zip(self.ids, self.times.tolist(), rows, strict=True):
            yield Event(REQUESTS, time, request, dict(zip(names, row, strict=True)))


def backfill(
    features: FeatureSet, events: Iterable[tuple[int, Event]], requests: RecordedRequests
) -> dict[str, FloatColumn]:
    """Return the features of recorded requests, each of shape (n,).

    A request knows the events that arrived before it or at the same time, and the requests before
    it. The requests are events themselves: `events` has all others.

    Args:
        features: the features to compute.
        events: the arrival in ms and the event, in the order of their arrival.
        requests: the requests.
    """
    run = _Backfill(features, requests)
    parts = list(run.chunks(events))
    return {
        name: np.concatenate([part[name] for part in parts]) if parts else np.empty(0)
        for name in features.names
    }


class _Backfill:
    """One pass over events and requests."""

    def __init__(self, features: FeatureSet, requests: RecordedRequests) -> None:
        self._features = features
        self._requests = requests
        self._state = FeatureState(features)
        self._reader = FeatureReader(self._state)
        self._times = requests.times.tolist()
        # The oldest event time of each request and all that follow it.
        self._oldest = np.minimum.accumulate(requests.times[::-1])[::-1]
        groupings = self._state.layout.groupings
        fields = {name for one in groupings for name in one.fields}
        texts = {name: distinct_texts(requests.columns[name]) for name in fields}
        grouped = [
            distinct_groups([texts[name] for name in one.fields], len(requests.ids))
            for one in groupings
        ]
        self._keys = [one.keys for one in grouped]
        self._codes = [one.codes.tolist() for one in grouped]

    def chunks(self, events: Iterable[tuple[int, Event]]) -> Iterator[dict[str, FloatColumn]]:
        """Yield the features of consecutive requests."""
        waiting = iter(events)
        ahead = next(waiting, None)
        own = self._own_events()
        arrivals = self._requests.arrivals.tolist()
        for first in range(0, len(arrivals), CHUNK):
            self._state.expire(int(self._oldest[first]))
            chunk = range(first, min(first + CHUNK, len(arrivals)))
            rows: list[list[tuple[float, ...]]] = [[] for _ in self._blocks()]
            for number in chunk:
                while ahead is not None and ahead[0] <= arrivals[number]:
                    self._add(ahead[1])
                    ahead = next(waiting, None)
                self._read(number, rows)
                if own is not None:
                    self._add(next(own))
            yield self._combine(rows, self._requests.times[first : first + CHUNK])

    def _own_events(self) -> Iterator[Event] | None:
        if REQUESTS not in self._features.event_sources:
            return None
        return self._requests.events(self._requests.columns)

    def _add(self, event: Event) -> None:
        merge = self._state.merge
        for key, partial in self._features.contributions(event):
            merge(OWNER, key, partial)

    def _blocks(self) -> list[tuple[int, int]]:
        return [
            (number, block)
            for number, grouping in enumerate(self._state.layout.groupings)
            for block in range(len(grouping.blocks))
        ]

    def _read(self, number: int, rows: list[list[tuple[float, ...]]]) -> None:
        """Append the numbers of all blocks for a request."""
        time, place = self._times[number], 0
        for at, grouping in enumerate(self._state.layout.groupings):
            group = self._state.group(at, self._keys[at][self._codes[at][number]])
            for index, block in enumerate(grouping.blocks):
                read = block.empty
                if group is not None:
                    read = group.read(index, block, time // block.slice_ms)
                rows[place].append(read)
                place += 1

    def _combine(
        self, rows: list[list[tuple[float, ...]]], times: IntColumn
    ) -> dict[str, FloatColumn]:
        tables = iter([np.array(one, dtype=np.float64).T for one in rows])
        numbers = [
            [next(tables) for _ in grouping.blocks] for grouping in self._state.layout.groupings
        ]
        return self._reader.combine(numbers, times)


def _listed(column: Sequence[object]) -> Sequence[object]:
    return column.tolist() if isinstance(column, np.ndarray) else column
