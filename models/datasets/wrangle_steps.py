"""The steps that change the columns and rows of a data set, as they stand in a TOML file.

Each `[[step]]` has one operation. All but `aggregate` and `pivot` look at one row at a time, and so
also run on the rows of a stream.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, FiniteFloat, Tag, model_validator

from modstream.models.schema.columns import Scalar

Name = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(min_length=1, max_length=1000)]
OnError = Literal["fail", "missing"]
"""What becomes of a row for which an expression has no result: the row fails, or has no value."""
Statistic = Literal["count", "sum", "mean", "median", "min", "max", "deviation", "distinct"]
Fitted = Literal["mean", "median", "most_frequent"]
MAX_NAMES = 1000


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(_Part):
    """What all steps have in common: a name for messages."""

    name: str = ""


class Rename(Step):
    """New names of columns, by their old ones."""

    rename: Annotated[dict[Name, Name], Field(min_length=1, max_length=MAX_NAMES)]


class Keep(Step):
    """The columns that remain, in this order."""

    keep: Annotated[list[Name], Field(min_length=1, max_length=MAX_NAMES)]


class Drop(Step):
    """Columns that are left out."""

    drop: Annotated[list[Name], Field(min_length=1, max_length=MAX_NAMES)]


class Derive(Step):
    """Columns by expressions of the columns before this step."""

    derive: Annotated[dict[Name, Text], Field(min_length=1, max_length=MAX_NAMES)]
    on_error: OnError = "fail"


class Combine(Step):
    """Columns of texts, joined from other columns; missing if one of these is."""

    combine: Annotated[dict[Name, list[Name]], Field(min_length=1, max_length=MAX_NAMES)]
    separator: str = "-"


class Filter(Step):
    """The rows for which an expression is true; where it is missing, it is not."""

    filter: Text
    on_error: OnError = "fail"


class Clip(Step):
    """The least and the greatest number of columns; numbers beyond become these."""

    clip: Annotated[
        dict[Name, Annotated[list[FiniteFloat], Field(min_length=2, max_length=2)]],
        Field(min_length=1, max_length=MAX_NAMES),
    ]

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, (low, high) in self.clip.items():
            if low > high:
                raise ValueError(f"{name}: {low:g} is greater than {high:g}")
        return self


class FittedFill(_Part):
    """A value that is computed from a data set once, and then used as it is on all others."""

    fitted: Fitted = Field(alias="with")


class Fill(Step):
    """Values for missing ones: constants, or `{ with = "median" }` of the data set."""

    fill: Annotated[dict[Name, FittedFill | Scalar], Field(min_length=1, max_length=MAX_NAMES)]


class Aggregate(Step):
    """One row for each combination of the values of some columns.

    `values` are new columns, each a statistic of a column: `mean(late)`, `count()`.
    """

    aggregate: Annotated[dict[Name, Text], Field(min_length=1, max_length=MAX_NAMES)]
    by: Annotated[list[Name], Field(max_length=MAX_NAMES)] = Field(default_factory=list)


class PivotDefinition(_Part):
    """One row for each combination of `rows`, one column for each value of `columns`."""

    rows: Annotated[list[Name], Field(min_length=1, max_length=MAX_NAMES)]
    columns: Name
    values: Name
    statistic: Statistic = "mean"


class Pivot(Step):
    """A table with one column for each value of a column: `<column>_<value>`."""

    pivot: PivotDefinition


KINDS: Mapping[str, type[Step]] = MappingProxyType(
    {
        "rename": Rename, "keep": Keep, "drop": Drop, "derive": Derive, "combine": Combine,
        "filter": Filter, "clip": Clip, "fill": Fill, "aggregate": Aggregate, "pivot": Pivot,
    }
)  # fmt: skip
"""The kinds of steps, by the name of their operation."""


def _kind_of(value: Any) -> str | None:  # noqa: ANN401 - a part of a TOML document
    if isinstance(value, Step):
        return next(name for name, kind in KINDS.items() if isinstance(value, kind))
    found = [name for name in KINDS if isinstance(value, dict) and name in value]
    return found[0] if len(found) == 1 else None


StatelessStep = Rename | Keep | Drop | Derive | Combine | Filter | Clip | Fill
StatefulStep = Aggregate | Pivot
AnyStep = Annotated[
    Annotated[Rename, Tag("rename")]
    | Annotated[Keep, Tag("keep")]
    | Annotated[Drop, Tag("drop")]
    | Annotated[Derive, Tag("derive")]
    | Annotated[Combine, Tag("combine")]
    | Annotated[Filter, Tag("filter")]
    | Annotated[Clip, Tag("clip")]
    | Annotated[Fill, Tag("fill")]
    | Annotated[Aggregate, Tag("aggregate")]
    | Annotated[Pivot, Tag("pivot")],
    Discriminator(
        _kind_of,
        custom_error_type="kind_of_step",
        custom_error_message=f"a step has exactly one of {', '.join(KINDS)}",
    ),
]


class WrangleSteps(_Part):
    """Steps in their order."""

    step: Annotated[list[AnyStep], Field(min_length=1, max_length=1000)]

    def labels(self) -> Sequence[str]:
        """Return how messages name the steps."""
        return [step_label(number, one) for number, one in enumerate(self.step, start=1)]


def step_label(number: int, step: Step) -> str:
    """Return how messages name a step: its number, and its name or operation."""
    return f"{number} ({step.name or _kind_of(step)})"
