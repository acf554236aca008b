"""The card of a model version: everything about an artifact except its bytes."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    model_validator,
)

from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import InputSchema

Task = Literal[
    "binary", "multiclass", "regression", "anomaly", "forecast",
    "multioutput_regression", "multioutput_classification", "clustering", "transformation",
    "tensors", "pipeline",
]  # fmt: skip
ScoreKind = Literal["probability", "margin", "distance", "none"]
"""What the numbers beside a label mean: probabilities of the classes, signed distances from the
decision boundary, distances from the clusters. "none": the model predicts labels only."""
OutputForm = Literal["array", "named", "tensors", "pipeline"]
"""What a runtime returns: an array of numbers for a batch, outputs by name for each row, or tensors
for each request. A pipeline returns nothing itself: its steps are run, with models of their own."""
TensorDatatype = Literal[
    "BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64",
    "FP16", "FP32", "FP64", "BYTES",
]  # fmt: skip
ArtifactPrecision = Literal["float32", "float64", "original"]
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
"""The name of a prediction's numeric output, by task, for tasks with an array of outputs."""
ARRAY_TASKS = frozenset(OUTPUT_NAMES)
"""The tasks whose outputs are one array of numbers, unless a classifier's scores say otherwise."""


class Target(BaseModel):
    """One output of a multioutput model: its name, and its classes if it is a classification."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(min_length=1)
    classes: tuple[Scalar, ...] = ()


class TensorSpec(BaseModel):
    """A tensor that a model takes or returns; a dimension of None has any length."""

    model_config = ConfigDict(frozen=True)

    name: str
    datatype: TensorDatatype
    shape: tuple[int | None, ...]


class Fidelity(BaseModel):
    """How closely an artifact predicts what the original model predicts.

    `precision` is that of the artifact's numbers; "original": the model was stored as it is.
    `max_difference` is the largest absolute difference of an output over `rows` compared rows.
    """

    model_config = ConfigDict(frozen=True)

    precision: ArtifactPrecision
    max_difference: FiniteFloat = Field(ge=0)
    rows: int = Field(ge=0)


class TrialRecord(BaseModel):
    """What the trial of a version measured before it was published: `modstream.models.trial`.

    `rows` sample rows were predicted one by one and as a batch; `row_seconds` is the median time
    of one row alone, `batch_seconds` the time of all rows together.
    """

    model_config = ConfigDict(frozen=True)

    rows: int = Field(ge=0)
    load_seconds: FiniteFloat = Field(ge=0)
    row_seconds: FiniteFloat = Field(ge=0)
    batch_seconds: FiniteFloat = Field(ge=0)


class PartRecord(BaseModel):
    """A version whose outputs a mean averages: its model, number and artifact, and its weight.

    `candidate` is the alias of the candidate that it is a version of, if it is one's.
    """

    model_config = ConfigDict(frozen=True)

    name: ModelName
    version: int = Field(ge=1)
    sha256: Sha256
    weight: FiniteFloat = Field(default=1.0, gt=0)
    candidate: str = ""


def output_form(task: Task, scores: ScoreKind) -> OutputForm:
    """Return what a runtime of a task returns."""
    if task == "tensors":
        return "tensors"
    is_array = task in ARRAY_TASKS
    if task in {"binary", "multiclass"}:
        is_array = scores == "probability"
    return "array" if is_array else "named"


class VersionFields(BaseModel):
    """What a version is, before and after it is published.

    `classes` are in the order of the model's outputs; of two classes, the second is the positive
    one. `scores` says what the numbers beside a label mean, `targets` names the outputs of a
    multioutput model. A model of the task "tensors" has tensors instead of features; of a pipeline,
    `output_tensors` are the entries of its answers.
    `sample_rows` are rows that the model can predict, for its warm-up and as examples.
    `trial` is set if the version, or the ancestor that it was learned from, has passed its trial.
    `parts` are the versions that a mean averages.
    `offsets` maps "topic:partition" to the first offset that the model has not learned from.
    """

    model_config = ConfigDict(frozen=True)

    name: ModelName
    runtime: str
    task: Task
    classes: tuple[Scalar, ...] = ()
    scores: ScoreKind = "probability"
    targets: tuple[Target, ...] = ()
    input_schema: InputSchema
    input_tensors: tuple[TensorSpec, ...] = ()
    output_tensors: tuple[TensorSpec, ...] = ()
    fidelity: Fidelity | None = None
    sample_rows: tuple[dict[str, Scalar | None], ...] = ()
    trial: TrialRecord | None = None
    parts: tuple[PartRecord, ...] = ()
    parent: int | None = None
    metrics: dict[str, FiniteFloat] = Field(default_factory=dict)
    libraries: dict[str, str] = Field(default_factory=dict)
    offsets: dict[str, int] = Field(default_factory=dict)
    note: str = ""

    @model_validator(mode="after")
    def _check_inputs(self) -> Self:
        """Refuse a model without features, unless it takes tensors."""
        takes_tensors = self.task == "tensors"
        if takes_tensors and (self.input_schema.features or not self.input_tensors):
            raise ValueError("a model of the task `tensors` has input tensors and no features")
        if not takes_tensors and (self.input_tensors or not self.input_schema.features):
            raise ValueError("a model has at least one feature, and no input tensors")
        return self

    @property
    def output_form(self) -> OutputForm:
        """What the model's runtime returns."""
        is_pipeline = self.runtime == "pipeline"
        return "pipeline" if is_pipeline else output_form(self.task, self.scores)


class ModelCard(VersionFields):
    """One immutable version of a model.

    `created` is UTC. `signature` is the Ed25519 signature of `canonical_bytes()`, in base64, and
    `installation` the one that it was signed for.
    """

    version: int = Field(ge=1)
    sha256: Sha256
    size: int = Field(ge=0)
    created: AwareDatetime
    installation: str = ""
    signature: str | None = None

    @property
    def max_horizon(self) -> int:
        """The largest number of periods per forecast: the feature's upper bound, 0 without one."""
        bounds = (one.high for one in self.input_schema.features if one.name == HORIZON_FEATURE)
        return int(next(bounds, None) or 0)

    def canonical_bytes(self) -> bytes:
        """Return the bytes that a signature signs: JSON with sorted keys, without the signature.

        Later additions are left out where they have their defaults, so that the signatures of cards
        that were written without them remain valid.
        """
        content = self.model_dump(mode="json", exclude={"signature"})
        for name in LATER_FIELDS & content.keys() - self._non_default_fields():
            del content[name]
        for feature in content["input_schema"]["features"]:
            for name in LATER_FEATURE_FIELDS:
                if not feature[name]:
                    del feature[name]
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()

    def _non_default_fields(self) -> set[str]:
        fields = type(self).model_fields
        return {name for name in LATER_FIELDS if getattr(self, name) != fields[name].default}


LATER_FIELDS = frozenset(
    {
        *("scores", "targets", "input_tensors", "output_tensors", "fidelity", "sample_rows"),
        *("trial", "parts", "installation"),
    }
)
"""Fields of a card that earlier releases do not write."""
LATER_FEATURE_FIELDS = frozenset({"missing", "dtype", "sensitive", "personal"})
"""Fields of a feature that earlier releases do not write."""
