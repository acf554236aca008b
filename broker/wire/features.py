"""A row of features in an answer: by name, or as names and numbers apart.

A tensor is kept as the numbers that came, since to write hundreds of them by name costs more than
to predict on them (docs/adr/0019). Readers of the contracts find every row by name.
"""

from struct import Struct
from typing import Annotated, Any

from pydantic import Base64Bytes, BaseModel, BeforeValidator, ConfigDict, FiniteFloat

Scalar = bool | int | float | str
Row = dict[str, Scalar | None]


class Columns(BaseModel):
    """One row of n numbers: their names, and either `data` or `fp32`, little-endian in base64."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: tuple[str, ...]
    data: tuple[FiniteFloat, ...] | None = None
    fp32: Base64Bytes | None = None

    def by_name(self) -> dict[str, float]:
        """The row.

        Raises:
            ValueError: there are not as many numbers as names.
        """
        numbers = self.data
        if numbers is None:
            form = Struct(f"<{len(self.names)}f")
            raw = self.fp32 or b""
            if len(raw) != form.size:
                raise ValueError(f"{len(self.names)} names and {len(raw)} bytes of float32")
            numbers = form.unpack(raw)
        return dict(zip(self.names, numbers, strict=True))


def by_name(features: Any) -> Any:  # noqa: ANN401 - of any kind, to be judged later
    """A row by name, if it is one in columns; else what it was. A row's values are never lists."""
    if isinstance(features, dict) and isinstance(features.get("names"), list | tuple):
        return Columns.model_validate(features).by_name()
    return features


NamedRow = Annotated[Row, BeforeValidator(by_name)]
"""A row of features by name, whichever way it was written."""
