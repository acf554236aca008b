"""The definition of a pipeline, as it stands in its TOML file."""

import tomllib
from collections.abc import Mapping, Sequence
from keyword import iskeyword
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from modstream.models.errors import InvalidPipeline
from modstream.models.pipelines.problems import PipelineProblem
from modstream.models.pipelines.references import REQUEST
from modstream.models.pipelines.step_definitions import (
    KINDS,
    MAX_NAMES,
    AnyKindOfStep,
    ModelStep,
    Name,
    Part,
    Text,
)
from modstream.models.schema.card import ModelName
from modstream.models.schema.columns import FeatureKind, Scalar
from modstream.models.schema.feature import Feature
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.personal import Protection

MAX_DEFINITION_BYTES = 1024 * 1024
MAX_STEPS = 100
PIPELINE = "pipeline"
"""The runtime and the task of a version that is a pipeline."""

PipelineTask = Literal["pipeline", "binary", "multiclass", "regression", "anomaly"]
"""What labels are compared with, as for a model of that task; "pipeline": with nothing."""


class RequestFeature(Part):
    """A feature of the pipeline's requests.

    `missing`: it may be absent or null. `sensitive`: the inference log must not contain it.
    `personal`: what must become of it before the pipeline sees it; see `Feature`.
    """

    kind: FeatureKind
    missing: bool = False
    sensitive: bool = False
    personal: str | None = None

    @field_validator("personal")
    @classmethod
    def _check_personal(cls, personal: str | None) -> str | None:
        if personal is not None:
            Protection.parse(personal)
        return personal


class Output(Part):
    """An entry of the answer; `default` stands for rows that have no such value."""

    source: Text = Field(alias="from")
    default: Scalar | None = None


TASK_OUTPUTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "binary": ("probability", "label"),
        "multiclass": ("label",),
        "regression": ("value",),
        "anomaly": ("score",),
    }
)
"""The outputs of which an answer of each task has one."""


class PipelineDefinition(Part):
    """A pipeline: the features of its requests, its steps, and what its answers hold.

    With a task, its answers are scored like those of a model: `classes` are those of its labels.
    """

    name: ModelName
    description: Annotated[str, Field(max_length=1000)] = ""
    task: PipelineTask = "pipeline"
    classes: Annotated[list[Scalar], Field(max_length=MAX_NAMES)] = Field(default_factory=list)
    request: Annotated[
        dict[str, FeatureKind | RequestFeature], Field(min_length=1, max_length=MAX_NAMES)
    ]
    steps: Annotated[dict[Name, AnyKindOfStep], Field(min_length=1, max_length=MAX_STEPS)]
    output: Annotated[dict[str, Text | Output], Field(min_length=1, max_length=MAX_NAMES)]

    @field_validator("steps")
    @classmethod
    def _check_names(cls, steps: dict[str, AnyKindOfStep]) -> dict[str, AnyKindOfStep]:
        for name in steps:
            if name == REQUEST or iskeyword(name):
                raise ValueError(f"no step can have the name {name}: choose another one")
        return steps

    @model_validator(mode="after")
    def _check_task(self) -> Self:
        needed = TASK_OUTPUTS.get(self.task, ())
        if needed and not any(name in self.output for name in needed):
            names = " or ".join(needed)
            raise ValueError(f"an answer of the task {self.task} needs the output {names}")
        return self

    @property
    def input_schema(self) -> InputSchema:
        """The features of a request."""
        features = (
            RequestFeature(kind=one) if isinstance(one, str) else one
            for one in self.request.values()
        )
        return InputSchema(
            features=tuple(
                Feature(name=name, **one.model_dump())
                for name, one in zip(self.request, features, strict=True)
            )
        )

    @property
    def outputs(self) -> dict[str, Output]:
        """The entries of an answer."""
        return {
            name: Output.model_validate({"from": one}) if isinstance(one, str) else one
            for name, one in self.output.items()
        }

    @property
    def models(self) -> tuple[tuple[str, int | str], ...]:
        """The models of the steps, each with its version or alias."""
        asked = [one for one in self.steps.values() if isinstance(one, ModelStep)]
        return tuple(dict.fromkeys((one.model, one.version) for one in asked))


def parse_definition(content: bytes, source: str) -> PipelineDefinition:
    """Return the definition that a TOML document holds; `source` names it in errors.

    Raises:
        InvalidPipeline: it is no TOML, or no definition.
    """
    if len(content) > MAX_DEFINITION_BYTES:
        reason = f"the definition has more than {MAX_DEFINITION_BYTES:,} bytes"
        raise InvalidPipeline(source, [PipelineProblem(None, reason)])
    try:
        document = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        reason = f"this is no TOML document: {error}"
        raise InvalidPipeline(source, [PipelineProblem(None, reason)]) from None
    try:
        return PipelineDefinition.model_validate(document)
    except ValidationError as error:
        problems = [
            _problem(one["loc"], one["type"], one["msg"])
            for one in error.errors(include_url=False, include_input=False)
        ]
    raise InvalidPipeline(source, list(dict.fromkeys(problems)))


def _problem(loc: Sequence[int | str], kind: str, message: str) -> PipelineProblem:
    message = message.removeprefix("Value error, ")
    if kind == "extra_forbidden":
        message = "there is no such setting: remove it, or correct its name"
    step = str(loc[1]) if len(loc) > 1 and loc[0] == "steps" else None
    rest = [one for one in (loc[2:] if step else loc) if one not in KINDS]
    rest = [
        one
        for one in rest
        if one not in {"[key]", "RequestFeature", "Output", "lookup", "bin", "expression"}
    ]
    where = ".".join(map(str, rest))
    return PipelineProblem(step, f"{where}: {message}" if where else message)
