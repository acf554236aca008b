"""What is expected of the rows of a data set, as data: from a schema, or from a TOML file."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from modstream.models.datasets.columns import ColumnKind
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.ranges import RANGES

CheckName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
"""A function of a Python module, as `module:function`."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ColumnExpectation(_Part):
    """What is expected of the values of a column.

    `missing` permits missing values. `low` and `high` bound numbers, `values` are all that are
    permitted, `pattern` is a regular expression for whole texts. Each of `checks` takes a
    `pandas.Series` without missing values, and returns for each value whether it is right.
    """

    kind: ColumnKind | None = None
    missing: bool = False
    unique: bool = False
    low: float | None = None
    high: float | None = None
    values: Annotated[list[Scalar], Field(min_length=1, max_length=10_000)] | None = None
    pattern: str | None = None
    checks: list[CheckName] = Field(default_factory=list)

    @field_validator("pattern")
    @classmethod
    def _pattern_is_valid(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        return pattern


class RowExpectation(_Part):
    """What is expected of rows.

    Each of `checks` takes a `pandas.DataFrame`, and returns for each row whether it is right.
    """

    checks: list[CheckName] = Field(default_factory=list)
    least: int = Field(default=1, ge=0)
    """The least number of rows of a data set; batches of a stream may be smaller."""


class Expectations(_Part):
    """What is expected of the columns, by their names, and of the rows. Further columns may exist.

    `folder` is where the modules of checks are looked for first.
    """

    columns: dict[str, ColumnExpectation] = Field(default_factory=dict)
    rows: RowExpectation = RowExpectation()
    folder: Path | None = Field(default=None, exclude=True)

    @classmethod
    def of_schema(cls, schema: InputSchema) -> Self:
        """Return what a model's input schema accepts, with the bounds of what it learns from."""
        columns = {}
        for feature in schema.features:
            low, high = feature.low, feature.high
            if feature.dtype is not None:
                limits = RANGES[feature.dtype]
                low = limits.low if low is None else max(low, limits.low)
                high = limits.high if high is None else min(high, limits.high)
            columns[feature.name] = ColumnExpectation(
                kind=feature.kind, missing=feature.missing, low=low, high=high
            )
        return cls(columns=columns)

    @property
    def check_names(self) -> list[str]:
        """The names of all checks that are the user's own functions."""
        own = [name for column in self.columns.values() for name in column.checks]
        return [*own, *self.rows.checks]


def to_toml(columns: Mapping[str, ColumnExpectation]) -> str:
    """Return expectations of columns as TOML, to be edited."""
    parts = ["# What is expected of each column; `modstream data validate` checks it.\n"]
    for name, expectation in columns.items():
        parts.append(f"\n[columns.{_toml(name)}]\n")
        fields = expectation.model_dump(exclude_defaults=True)
        parts += [f"{field} = {_toml(value)}\n" for field, value in fields.items()]
    return "".join(parts)


def _toml(value: Any) -> str:  # noqa: ANN401 - a value of TOML
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{"".join(map(_escape, value))}"'
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value)


def _escape(char: str) -> str:
    if char in {'"', "\\"}:
        return f"\\{char}"
    return char if char.isprintable() else f"\\U{ord(char):08x}"
