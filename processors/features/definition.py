"""The definitions of a stream's features, as they stand in its `features.toml`."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    model_validator,
)

from modstream.processors.features.durations import default_slice, parse_duration

MAX_FEATURES = 1000
MAX_SLICES = 10_000
LABEL = "label"
"""What `value` and `where` call the label of a labelled request."""
KEY = "@key"
"""What `group` calls the key of a request's record; labels have it among their fields, too."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Scalar = bool | int | float | str
Aggregate = Literal[
    "count", "sum", "mean", "rate", "min", "max",
    "quantile", "last", "distinct", "time_since", "overdue",
]  # fmt: skip


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


Duration = Annotated[int, BeforeValidator(_duration), Field(gt=0, le=10**12)]
"""Milliseconds, written as text with a unit."""

_ONLY_OF: dict[str, tuple[Aggregate, ...]] = {
    "smoothing": ("rate",),
    "prior": ("rate",),
    "equals": ("rate",),
    "quantile": ("quantile",),
    "due_after": ("overdue",),
    "due_field": ("overdue",),
    "due_per_unit": ("overdue",),
}
_WITHOUT_VALUE: tuple[Aggregate, ...] = ("time_since", "overdue")
_VALUE_OPTIONAL: tuple[Aggregate, ...] = ("count", *_WITHOUT_VALUE)


def settings_of(aggregate: str, settings: Mapping[str, object]) -> dict[str, object]:
    """Return the settings without those that other aggregates have and this one has not."""
    return {
        name: value
        for name, value in settings.items()
        if aggregate in _ONLY_OF.get(name, (aggregate,))
    }


class Part(BaseModel):
    """A part of the definitions. Unknown names are errors, as they would be ignored silently."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class FeatureDefinition(Part):
    """A feature: an aggregate of the events of a source, by groups, over a window of event time.

    Durations are ms. `group` has fields of the events and of the requests, or KEY; an empty one
    stands for all events. `slice` is the width of the slices into which the window is cut. `where`
    selects the events whose fields have these values. Of a rate, `equals` is the value that is
    counted, and `smoothing` the weight of `prior`, which is the rate of all groups if it is None.
    The label or event that belongs to a request is due `due_after` its time, and `due_per_unit`
    later for each unit of `due_field`.
    """

    name: Name
    source: Name
    group: Annotated[tuple[Text, ...], Field(max_length=8), BeforeValidator(_tuple)] = ()
    window: Duration
    slice: Duration | None = None
    aggregate: Aggregate
    value: Text | None = None
    where: Annotated[dict[Text, Scalar], Field(max_length=8)] = Field(default_factory=dict)
    equals: Scalar | None = None
    smoothing: Annotated[FiniteFloat, Field(ge=0)] | None = None
    prior: FiniteFloat | None = None
    quantile: Annotated[FiniteFloat, Field(ge=0, le=1)] | None = None
    due_after: Duration | None = None
    due_field: Text | None = None
    due_per_unit: Duration | None = None

    @property
    def slice_ms(self) -> int:
        """The width of the slices, in ms."""
        return default_slice(self.window) if self.slice is None else self.slice

    @property
    def slices(self) -> int:
        """The number of slices of the window."""
        return self.window // self.slice_ms

    @model_validator(mode="after")
    def _check_window(self) -> Self:
        if self.window % self.slice_ms:
            raise ValueError("the window must be a multiple of the slice")
        if self.slices > MAX_SLICES:
            raise ValueError(f"the window has {self.slices:,} slices, more than {MAX_SLICES:,}")
        if len(set(self.group)) < len(self.group):
            raise ValueError("group: a field is named twice")
        return self

    @model_validator(mode="after")
    def _check_aggregate(self) -> Self:
        for name, aggregates in _ONLY_OF.items():
            if getattr(self, name) is not None and self.aggregate not in aggregates:
                raise ValueError(f"{name}: only the aggregate {aggregates[0]} has it")
        if self.value is None and self.aggregate not in _VALUE_OPTIONAL:
            raise ValueError(f"value: the aggregate {self.aggregate} needs it: label, or a field")
        if self.value is not None and self.aggregate in _WITHOUT_VALUE:
            raise ValueError(f"value: the aggregate {self.aggregate} has none: remove it")
        if self.aggregate == "quantile" and self.quantile is None:
            raise ValueError("quantile: say which one, such as 0.9")
        if self.source == "requests" and LABEL in (self.value, *self.where):
            raise ValueError("source: requests have no label: take the source labels")
        return self

    @model_validator(mode="after")
    def _check_overdue(self) -> Self:
        if self.aggregate != "overdue":
            return self
        if self.due_after is None:
            raise ValueError("due_after: say how long after its request an event is due")
        if (self.due_field is None) is not (self.due_per_unit is None):
            raise ValueError("due_field and due_per_unit belong together: give both, or none")
        if self.source == "requests":
            raise ValueError("source: say what is overdue: labels, or events of a further source")
        if LABEL in self.where:
            raise ValueError("where: a label that is overdue has no value")
        return self


class SourceDefinition(Part):
    """A further source of events: the JSON objects of a topic.

    `time` is the field with the event time, in ms since the epoch; None stands for the time of
    the record. `id` is the field that identifies an event; None stands for its position. If each
    event belongs to a request, `request_time` is the field with the event time of that.
    """

    topic: Text
    time: Text | None = None
    id: Text | None = None
    request_time: Text | None = None


class FeatureDefinitions(Part):
    """All features of a stream, and the sources of their events besides requests and labels."""

    features: Annotated[
        tuple[FeatureDefinition, ...], Field(max_length=MAX_FEATURES), BeforeValidator(_tuple)
    ]
    sources: dict[Name, SourceDefinition] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.features:
            raise ValueError("features: there is none: add an entry")
        for reserved in ("requests", "labels"):
            if reserved in self.sources:
                raise ValueError(f"sources.{reserved}: it is built in: choose another name")
        seen: set[str] = set()
        for one in self.features:
            if one.name in seen:
                raise ValueError(f"features: {one.name}: another feature has this name")
            seen.add(one.name)
            if one.source not in {"requests", "labels", *self.sources}:
                raise ValueError(
                    f"features: {one.name}: source: there is no {one.source}:"
                    f" describe its topic in [sources.{one.source}]"
                )
            further = self.sources.get(one.source)
            if one.aggregate == "overdue" and further and further.request_time is None:
                raise ValueError(
                    f"features: {one.name}: source: overdue events need the time of their"
                    f" request: give request_time in [sources.{one.source}]"
                )
        return self
