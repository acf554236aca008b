"""The card of a model version: everything about an artifact except its bytes."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints

from modstream.models.schema.input_schema import InputSchema

Task = Literal["binary", "multiclass", "regression", "anomaly", "forecast"]
ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

PERIOD_FEATURE, HORIZON_FEATURE = "period", "horizon"
"""The integer features of a forecast request: its first period, and the number of periods."""

OUTPUT_NAMES: Mapping[Task, str] = MappingProxyType(
    {
        "binary": "probability",
        "multiclass": "probabilities",
        "regression": "value",
        "anomaly": "score",
        "forecast": "forecast",
    }
)
"""The name of a prediction's numeric output, by task."""


class ModelCard(BaseModel):
    """One immutable version of a model.

    `classes` are in the order of the model's outputs; of two classes, the second is the positive
    one. `offsets` maps "topic:partition" to the first offset that the model has not learned from.
    `created` is UTC. `signature` is the Ed25519 signature of `canonical()`, in base64.
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
    def max_horizon(self) -> int:
        """The largest number of periods per forecast: the feature's upper bound, 0 without one."""
        bounds = (one.high for one in self.input_schema.features if one.name == HORIZON_FEATURE)
        return int(next(bounds, None) or 0)

    def canonical_bytes(self) -> bytes:
        """Return the bytes that a signature signs: JSON with sorted keys, without the signature."""
        content = self.model_dump(mode="json", exclude={"signature"})
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
