"""The card of a model version: everything that is known about an artifact except its bytes."""

import json
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints

from modstream.models.schema.input_schema import InputSchema

Task = Literal["binary", "multiclass", "regression", "anomaly", "forecast"]
ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

PERIOD, HORIZON = "period", "horizon"
"""The integer features that a forecast is asked for by: its first period, and how many."""


class ModelCard(BaseModel):
    """One immutable version of a model.

    `classes` are in the order of the model's outputs; of two, the second is the positive one.
    `offsets` maps "topic:partition" to the next offset that the model has not learned from.
    `created` is UTC; `signature` is Ed25519 over `canonical()`, in base64.
    """

    model_config = ConfigDict(frozen=True)

    name: ModelName
    version: int = Field(ge=1)
    runtime: str
    task: Task
    classes: tuple[str | int | bool | float, ...] = ()
    input_schema: InputSchema
    sha256: Sha256
    size: int = Field(ge=0)
    parent: int | None = None
    metrics: dict[str, FiniteFloat] = Field(default_factory=dict)
    libraries: dict[str, str] = Field(default_factory=dict)
    created: AwareDatetime
    offsets: dict[str, int] = Field(default_factory=dict)
    note: str = ""
    signature: str | None = None

    @property
    def horizon(self) -> int:
        """The most periods that one answer forecasts: the feature's upper bound, 0 without one."""
        bounds = (one.high for one in self.input_schema.features if one.name == HORIZON)
        return int(next(bounds, None) or 0)

    def canonical(self) -> bytes:
        """Write the card without its signature as JSON with sorted keys: what a signature signs."""
        content = self.model_dump(mode="json", exclude={"signature"})
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
