"""The columns of a data set."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

ColumnKind = Literal["float", "int", "bool", "string", "timestamp", "other"]
"""The first four are those of features; `other` is kept, and nothing is computed from it."""


class DatasetColumn(BaseModel):
    """A column: its name, the kind of its values, and how many are missing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: ColumnKind
    missing: int = 0
