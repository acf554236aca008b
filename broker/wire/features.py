"""A row of features within a message: by name, or compact, with names and numbers apart.

The row of a tensor is kept compact, because writing hundreds of numbers by name costs more than
predicting on them (docs/adr/0019). A decoded contract has every row by name.
"""

from struct import Struct
from typing import Annotated, Any

from pydantic import Base64Bytes, BaseModel, BeforeValidator, ConfigDict, FiniteFloat

JsonScalar = bool | int | float | str
FeatureRow = dict[str, JsonScalar | None]


class CompactRow(BaseModel):
    """A row of n numbers: `names`, and either `data` or `fp32` (little-endian, in base64)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: tuple[str, ...]
    data: tuple[FiniteFloat, ...] | None = None
    fp32: Base64Bytes | None = None

    def to_dict(self) -> dict[str, float]:
        """Return the row by name.

        Raises:
            ValueError: there are not as many numbers as names.
        """
        numbers = self.data
        if numbers is None:
            layout = Struct(f"<{len(self.names)}f")
            raw = self.fp32 or b""
            if len(raw) != layout.size:
                raise ValueError(f"{len(self.names)} names and {len(raw)} bytes of float32")
            numbers = layout.unpack(raw)
        return dict(zip(self.names, numbers, strict=True))


def expand_row(features: Any) -> Any:  # noqa: ANN401 - not validated yet
    """Return a compact row by name, and any other value unchanged.

    The two forms cannot be confused: the values of a row by name are never lists.
    """
    if isinstance(features, dict) and isinstance(features.get("names"), list | tuple):
        return CompactRow.model_validate(features).to_dict()
    return features


NamedRow = Annotated[FeatureRow, BeforeValidator(expand_row)]
"""A row of features by name, decoded from either form."""
