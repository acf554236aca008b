"""Rows of features within a message: by name, or compact, with names and numbers apart.

The rows of a tensor are kept compact, because writing hundreds of numbers by name costs more than
predicting on them (docs/adr/0019). A decoded contract has every row by name.
"""

from collections.abc import Sequence
from math import isfinite
from struct import Struct
from typing import Annotated, Any

from msgspec.json import encode as json_encode
from pydantic import Base64Bytes, BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat

from modstream.broker.wire.bounds import JsonBool, JsonFloat, JsonInt, Name

JsonScalar = JsonBool | JsonInt | JsonFloat | str
FeatureRow = dict[Name, JsonScalar | None]
MAX_COMPACT_ROWS = 1_000_000


class CompactRows(BaseModel):
    """Rows of k numbers: `names`, and either `data` or `fp32` (little-endian, in base64).

    Without `rows` it is a single row; with it, that many rows, one after the other.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: tuple[Name, ...]
    rows: Annotated[int, Field(ge=0, le=MAX_COMPACT_ROWS)] | None = None
    data: tuple[FiniteFloat, ...] | None = None
    fp32: Base64Bytes | None = None

    def by_name(self) -> dict[str, float] | list[dict[str, float]]:
        """Return the row by name, or the rows.

        Raises:
            ValueError: there are not as many numbers as names in all rows.
        """
        width = len(self.names)
        count = width if self.rows is None else width * self.rows
        numbers = self.data
        if numbers is None:
            layout = Struct(f"<{count}f")
            raw = self.fp32 or b""
            if len(raw) != layout.size:
                raise ValueError(f"{count} numbers expected, and {len(raw)} bytes of float32 found")
            numbers = layout.unpack(raw)
        elif len(numbers) != count:
            raise ValueError(f"{count} numbers expected, and {len(numbers)} found")
        if self.rows is None:
            return dict(zip(self.names, numbers, strict=True))
        starts = range(0, count, width) if width else ()
        return [
            dict(zip(self.names, numbers[start : start + width], strict=True)) for start in starts
        ]


def expand_rows(features: Any) -> Any:  # noqa: ANN401 - not validated yet
    """Return compact rows by name, and any other value unchanged.

    The two forms cannot be confused: the values of a row by name are never lists.
    """
    if isinstance(features, dict) and isinstance(features.get("names"), list | tuple):
        return CompactRows.model_validate(features).by_name()
    return features


def compact_json(rows: Sequence[FeatureRow]) -> bytes | None:
    """Return rows of floats as compact JSON; None if a value is not a finite float."""
    names = list(rows[0])
    numbers = [value for row in rows for value in row.values()]
    if not all(type(value) is float and isfinite(value) for value in numbers):
        return None
    return json_encode({"names": names, "rows": len(rows), "data": numbers})


NamedRows = Annotated[
    FeatureRow | tuple[FeatureRow, ...],
    BeforeValidator(
        expand_rows, json_schema_input_type=FeatureRow | tuple[FeatureRow, ...] | CompactRows
    ),
]
"""A row of features by name, or several, decoded from either form."""
