"""Import of River models, whose features the caller describes."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

from river.base import Estimator
from river.compose import Pipeline

from modstream.models.errors import NotConvertible
from modstream.models.importers.imported_model import ImportedModel
from modstream.models.runtimes.river.artifact import UnpackedModel, pack
from modstream.models.schema.card import Task
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import VersionSpec

_TASK_BY_METHOD: Mapping[str, Task] = MappingProxyType(
    {
        "forecast": "forecast",
        "score_one": "anomaly",
        "predict_proba_one": "binary",
        "predict_one": "regression",
    }
)
"""The task by a prediction method of the model's last step; the first method found decides."""


@dataclass(frozen=True, slots=True)
class RiverDescription:
    """What a River model does not record: its features, and its classes in order.

    A classifier without classes is binary, with the classes False and True.
    """

    features: tuple[Feature, ...] = ()
    classes: tuple[Scalar, ...] = ()


def import_river(
    name: str, unpacked: UnpackedModel, description: RiverDescription, note: str = ""
) -> ImportedModel:
    """Import a River model.

    Raises:
        NotConvertible: its task cannot be inferred, or the description has no features.
        ForbiddenGlobal: it refers to an object outside the allow-list.
        UnreadableArtifact: it cannot be pickled and loaded back.
    """
    class_name = type(last_step(unpacked.model)).__name__
    if not description.features:
        reason = "a River model does not record its features; name each with --feature NAME:KIND"
        raise NotConvertible(class_name, reason)
    task = infer_river_task(unpacked.model, description)
    default_classes = (False, True) if task == "binary" else ()
    spec = VersionSpec(
        name=name,
        runtime="river",
        task=task,
        classes=description.classes or default_classes,
        input_schema=InputSchema(features=description.features),
        libraries={"river": version("river")},
        note=note or class_name,
    )
    return ImportedModel(spec, pack(unpacked.model, unpacked.last_period))


def infer_river_task(model: Estimator, description: RiverDescription) -> Task:
    """Infer a River model's task from the prediction methods of its last step.

    Raises:
        NotConvertible: it has none of them; it may be a transformer.
    """
    last = last_step(model)
    task = next((task for method, task in _TASK_BY_METHOD.items() if hasattr(last, method)), None)
    if task is None:
        reason = (
            "it is not a classifier, regressor, anomaly detector or forecaster;"
            " a pipeline has to end with one"
        )
        raise NotConvertible(type(last).__name__, reason)
    return "multiclass" if task == "binary" and len(description.classes) > 2 else task


def last_step(model: Estimator) -> Any:  # noqa: ANN401 - any of River's classes
    """Return the last step of a pipeline, or the model itself if it is not a pipeline."""
    return list(model.steps.values())[-1] if isinstance(model, Pipeline) else model
