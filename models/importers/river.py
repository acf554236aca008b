"""A River model that somebody brings, made into a draft and an artifact."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

from river.base import Estimator
from river.compose import Pipeline

from modstream.models.errors import NotConvertible
from modstream.models.runtimes.river.artifact import Packed, pack
from modstream.models.schema.card import Task
from modstream.models.schema.input_schema import Feature, InputSchema, Scalar
from modstream.models.schema.version_spec import Draft

_ABLE: Mapping[str, Task] = MappingProxyType(
    {
        "forecast": "forecast",
        "score_one": "anomaly",
        "predict_proba_one": "binary",
        "predict_one": "regression",
    }
)
"""The method by which a model's last step shows its task; the first that it has counts."""


@dataclass(frozen=True, slots=True)
class Described:
    """What a River model does not know of itself: its features, and the classes it may answer.

    Without classes a classifier is binary, with the classes False and True.
    """

    features: tuple[Feature, ...] = ()
    classes: tuple[Scalar, ...] = ()


def from_river(
    name: str, packed: Packed, described: Described, note: str = ""
) -> tuple[Draft, bytes]:
    """Draft a River model.

    Raises:
        NotConvertible: it answers nothing that we know, or its features were not named.
        ForbiddenGlobal: it refers to something outside the allow-list.
    """
    kind = type(last_step(packed.model)).__name__
    if not described.features:
        raise NotConvertible(kind, "a River model does not know its features; name them")
    task = task_of(packed.model, described)
    yes_or_no = (False, True) if task == "binary" else ()
    drafted = Draft(
        name=name,
        runtime="river",
        task=task,
        classes=described.classes or yes_or_no,
        input_schema=InputSchema(features=described.features),
        libraries={"river": version("river")},
        note=note or kind,
    )
    return drafted, pack(packed.model, packed.period)


def task_of(model: Estimator, described: Described) -> Task:
    """Say what a River model answers.

    Raises:
        NotConvertible: nothing that we know; it may be a transformer.
    """
    last = last_step(model)
    task = next((_ABLE[method] for method in _ABLE if hasattr(last, method)), None)
    if task is None:
        raise NotConvertible(type(last).__name__, "it is no classifier, regressor, or the like")
    return "multiclass" if task == "binary" and len(described.classes) > 2 else task


def last_step(model: Estimator) -> Any:  # noqa: ANN401 - any of River's kinds
    """The model itself, or the last step of a pipeline."""
    return list(model.steps.values())[-1] if isinstance(model, Pipeline) else model
