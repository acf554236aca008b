"""Aggregations: which partial aggregates are stored, and what an event adds to each of them.

Features that differ only in their windows, or in what they read, share an aggregation.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import blake2b

from modstream.processors.features.definition import LABEL, Aggregate, FeatureDefinition
from modstream.processors.features.durations import DAY_MS
from modstream.processors.features.events import LABELS, REQUESTS, Event, number_of, text_of
from modstream.processors.features.exact_sum import exact
from modstream.processors.features.partials import KindName, Partial
from modstream.processors.features.sketches import bucket_of, hash_of

MAX_DUE_MS = 366 * DAY_MS
_KINDS: dict[Aggregate, KindName] = {
    "count": "count",
    "sum": "moments",
    "mean": "moments",
    "rate": "moments",
    "min": "min",
    "max": "max",
    "quantile": "histogram",
    "last": "last",
    "distinct": "hashes",
    "time_since": "newest",
    "overdue": "count",
}


@dataclass(frozen=True, slots=True)
class Due:
    """When a label or event is due: `after` ms after its request, later by a field's value.

    Each unit of the field adds `per_unit` ms. There is no such time if the field is missing, or
    adds less than 0 or more than MAX_DUE_MS.
    """

    after: int
    field: str | None = None
    per_unit: int = 0

    def time_of(self, request_time: int, fields: Callable[[str], object]) -> int | None:
        """Return the time in ms at which what belongs to a request is due."""
        if self.field is None:
            return request_time + self.after
        units = number_of(fields(self.field))
        if units is None or not 0 <= units * self.per_unit <= MAX_DUE_MS:
            return None
        return request_time + self.after + round(units * self.per_unit)


@dataclass(frozen=True, slots=True)
class Aggregation:
    """What is stored: the partial aggregates of one kind, of the events of a source, by group.

    `where` has the fields and texts that select events. With `due`, the aggregation counts the
    requests whose label or event is due in a slice and has not come.
    """

    source: str
    group: tuple[str, ...]
    kind: KindName
    slice_ms: int
    value: str | None = None
    equals: str | None = None
    where: tuple[tuple[str, str | None], ...] = ()
    due: Due | None = None

    @classmethod
    def of(cls, one: FeatureDefinition) -> "Aggregation":
        """Return the aggregation that a feature is read from."""
        kind = _KINDS[one.aggregate]
        if one.aggregate == "count" and one.value is not None:
            kind = "moments"
        due = None
        if one.due_after is not None:
            due = Due(one.due_after, one.due_field, one.due_per_unit or 0)
        return cls(
            source=one.source,
            group=tuple(sorted(one.group)),
            kind=kind,
            slice_ms=one.slice_ms,
            value=one.value,
            equals=text_of(one.equals),
            where=tuple(sorted((name, text_of(value)) for name, value in one.where.items())),
            due=due,
        )

    @property
    def id(self) -> str:
        """A short text that identifies the aggregation among all that were ever defined."""
        content = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return blake2b(content.encode(), digest_size=6).hexdigest()

    def is_of(self, event: Event) -> bool:
        """Return whether an event has the values that `where` selects.

        The requests that wait for an event of a further topic do not have its fields: all count.
        """
        if event.source == REQUESTS and self.source not in {REQUESTS, LABELS}:
            return True
        return all(text_of(_value(event, name)) == wanted for name, wanted in self.where)

    def partial(self, event: Event) -> Partial | None:
        """Return what an event of the source adds to its slice; None for nothing."""
        if self.value is None:
            return event.time if self.kind == "newest" else 1
        value = _value(event, self.value)
        if self.kind == "hashes":
            text = text_of(value)
            return None if text is None else (hash_of(text),)
        number = self._number(value)
        return None if number is None else self._of_number(event, number)

    def _of_number(self, event: Event, number: float) -> Partial:
        if self.kind == "moments":
            return (1, *exact(number))
        if self.kind == "histogram":
            return ((bucket_of(number), 1),)
        return (event.time, event.id, number) if self.kind == "last" else number

    def _number(self, value: object) -> float | None:
        if self.equals is None:
            return number_of(value)
        text = text_of(value)
        return None if text is None else float(text == self.equals)


def _value(event: Event, name: str) -> object:
    if name == LABEL and event.source == LABELS:
        return event.value
    return event.fields.get(name)
