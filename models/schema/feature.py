"""One feature of a model: its name, its kind, and the values that it accepts."""

import math
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from modstream.models.errors import InputError, MissingFeature, OutOfRange
from modstream.models.schema.columns import (
    FeatureColumn,
    FeatureKind,
    Scalar,
    build_column,
    clean_column,
    is_nan,
    parse_value,
)
from modstream.models.schema.personal import Protection
from modstream.models.schema.ranges import RANGES, FeatureDtype


class Feature(BaseModel):
    """One named input of a model.

    `low` and `high` bound what is learned from, not predictions. `missing` says that a value may
    be absent, null or NaN; only floats and strings can be missing. `dtype` is the numpy type that
    the model computes in, if it is smaller than the column's. The inference log never contains the
    values of a `sensitive` feature.

    `personal` says what must become of the values before they are predicted on and written, in the
    form of `Protection.parse`; workers load the version only if their stream is set up for it. The
    model sees what is left: a text, a number in classes, or nothing of a feature that may be
    missing.
    """

    model_config = ConfigDict(frozen=True)

    name: str = Field(min_length=1)
    kind: FeatureKind
    low: float | None = None
    high: float | None = None
    missing: bool = False
    dtype: FeatureDtype | None = None
    sensitive: bool = False
    personal: str | None = None

    @model_validator(mode="after")
    def _check_personal(self) -> Self:
        if self.personal is None:
            return self
        kind = Protection.parse(self.personal).kind
        if kind == "drop" and not self.missing:
            raise ValueError(f"{self.name}: a feature that is dropped must be `missing`")
        if kind == "generalise" and self.kind not in {"float", "int"}:
            raise ValueError(f"{self.name}: only a number can be generalised")
        if kind in {"pseudonymise", "shorten"} and self.kind != "string":
            raise ValueError(f"{self.name}: only a string can be shortened or have a pseudonym")
        return self

    @model_validator(mode="after")
    def _check_missing(self) -> Self:
        if self.missing and self.kind not in {"float", "string"}:
            raise ValueError(f"{self.name}: only a float or a string can be missing")
        return self

    def parse(self, row: Mapping[str, object]) -> Scalar | InputError | None:
        """Return this feature's value in a raw row, or the error that rejects it."""
        if self.name not in row and not self.missing:
            return MissingFeature(self.name)
        return self.parse_value(row.get(self.name))

    def parse_value(self, value: object) -> Scalar | InputError | None:
        """Return a raw value as a scalar, None or NaN if it is missing, or the error."""
        if self.missing and (value is None or is_nan(value)):
            return math.nan if self.kind == "float" else None
        scalar = parse_value(self.name, self.kind, value)
        if self.dtype is not None and isinstance(scalar, float | int):
            low, high = RANGES[self.dtype]
            if not low <= scalar <= high:
                return OutOfRange(self.name, self.dtype)
        return scalar

    def clean_column(self, rows: Sequence[Mapping[str, object]]) -> FeatureColumn | None:
        """Return this feature's column of raw rows; None if they must be parsed one by one."""
        try:
            values = list(map(itemgetter(self.name), rows))
        except KeyError:
            return None
        return self._clean(values)

    def build_column(self, values: Sequence[object]) -> FeatureColumn:
        """Return this feature's column of raw values.

        Raises:
            InputError: the error of the first invalid value.
        """
        column = self._clean(values)
        if column is not None:
            return column
        return build_column(self.kind, list(self._valid_values(values)))

    def _clean(self, values: Sequence[object]) -> FeatureColumn | None:
        column = clean_column(self.kind, values)
        if column is None or self.dtype is None:
            return column
        low, high = RANGES[self.dtype]
        return column if ((column >= low) & (column <= high)).all() else None

    def _valid_values(self, values: Sequence[object]) -> Iterator[Scalar | None]:
        for value in values:
            scalar = self.parse_value(value)
            if isinstance(scalar, InputError):
                raise scalar
            yield scalar
