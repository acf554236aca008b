"""The kinds of steps of a pipeline, as they stand in its TOML file."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    FiniteFloat,
    StringConstraints,
    Tag,
    model_validator,
)

from modstream.models.schema.card import ModelName
from modstream.models.schema.columns import Scalar

MAX_NAMES = 1000
"""Features of a request, outputs of a step, members, entries of an answer."""
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
"""The name of a step or of an output of a transform: expressions use it."""
Text = Annotated[str, StringConstraints(min_length=1, max_length=1000, strip_whitespace=True)]
"""A reference or an expression."""
OnError = Literal["fail", "default", "skip"]
"""What a row on which a step fails becomes: an error response, the step's defaults, or a row on
which the step has no output."""
Join = Literal["inner", "outer"]
"""Whether a step needs an output of all steps that it takes values from, or makes do without."""


class Part(BaseModel):
    """A part of a definition. Unknown names are errors, as they would be ignored silently."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Lookup(Part):
    """A table from texts, integers or bools to values; `default` stands for all other keys.

    TOML writes every key of a table as text.
    """

    lookup: Text
    table: Annotated[dict[str, Scalar], Field(min_length=1, max_length=100_000)]
    default: Scalar | None = None


class Bin(Part):
    """The interval that a number is in: before the first edge, between two, or from the last on.

    An edge belongs to the interval that it begins. Without `labels`, intervals have their numbers,
    from 0.
    """

    bin: Text
    edges: Annotated[list[FiniteFloat], Field(min_length=1, max_length=10_000)]
    labels: list[Scalar] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(low >= high for low, high in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError("the edges must ascend")
        if self.labels is not None and len(self.labels) != len(self.edges) + 1:
            raise ValueError(f"{len(self.edges)} edges make {len(self.edges) + 1} labels")
        return self


def _kind_of_value(value: Any) -> str:  # noqa: ANN401 - a part of a TOML document
    if isinstance(value, dict):
        return next((name for name in ("lookup", "bin") if name in value), "dict")
    return "expression" if isinstance(value, str) else type(value).__name__


Transform = Annotated[
    Annotated[Text, Tag("expression")]
    | Annotated[Lookup, Tag("lookup")]
    | Annotated[Bin, Tag("bin")],
    Discriminator(
        _kind_of_value,
        custom_error_type="kind_of_value",
        custom_error_message="it must be an expression, or a table with `lookup` or `bin`",
    ),
]
"""How a transform computes a value."""


class Step(Part):
    """What all steps have in common.

    A step runs on the rows for which the predicate `when` is true. `on_error` says what becomes of
    a row on which it fails. The result of a shadow step is recorded, and counts for nothing.
    """

    when: Text | None = None
    on_error: OnError = "fail"
    default: Annotated[dict[str, Scalar], Field(max_length=MAX_NAMES)] | None = None
    shadow: bool = False
    join: Join = "inner"


class ModelStep(Step):
    """A published model. Without `inputs`, its features are the request's of the same names."""

    model: ModelName
    version: int | str = "champion"
    inputs: Annotated[dict[str, Text], Field(min_length=1, max_length=MAX_NAMES)] | None = None


class TransformStep(Step):
    """Values computed by expressions, lookup tables and bins.

    `inputs` gives references short names, which expressions may use.
    """

    transform: Annotated[dict[Name, Transform], Field(min_length=1, max_length=MAX_NAMES)]
    inputs: Annotated[dict[Name, Text], Field(max_length=MAX_NAMES)] = Field(default_factory=dict)


class EnsembleStep(Step):
    """The vote or the average of several values, with or without weights.

    By default, members without an output do not count; `min_members` is how many must.
    """

    ensemble: Literal["vote", "average"]
    members: Annotated[list[Text], Field(min_length=2, max_length=MAX_NAMES)]
    weights: list[Annotated[FiniteFloat, Field(gt=0)]] | None = None
    min_members: int = Field(default=1, ge=1)
    join: Join = "outer"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.members)) < len(self.members):
            raise ValueError("a member is named twice, and would count twice: use `weights`")
        if self.weights is not None and len(self.weights) != len(self.members):
            raise ValueError(f"{len(self.members)} members have {len(self.weights)} weights")
        if self.min_members > len(self.members):
            raise ValueError("`min_members` is larger than the number of members")
        return self


class AnyStep(Step):
    """The first of several values that there is: a model and its fallbacks."""

    any: Annotated[list[Text], Field(min_length=2, max_length=MAX_NAMES)]
    join: Literal["outer"] = "outer"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.any)) < len(self.any):
            raise ValueError("a value is named twice; the second could never be used")
        return self


KINDS: Mapping[str, type[Step]] = MappingProxyType(
    {"model": ModelStep, "transform": TransformStep, "ensemble": EnsembleStep, "any": AnyStep}
)
"""The kinds of steps by the name that only they have."""


def _kind_of_step(value: Any) -> str | None:  # noqa: ANN401 - a part of a TOML document
    if not isinstance(value, dict):
        return type(value).__name__
    found = [name for name in KINDS if name in value]
    return found[0] if len(found) == 1 else None


AnyKindOfStep = Annotated[
    Annotated[ModelStep, Tag("model")]
    | Annotated[TransformStep, Tag("transform")]
    | Annotated[EnsembleStep, Tag("ensemble")]
    | Annotated[AnyStep, Tag("any")],
    Discriminator(
        _kind_of_step,
        custom_error_type="kind_of_step",
        custom_error_message=f"a step has exactly one of {', '.join(KINDS)}",
    ),
]
