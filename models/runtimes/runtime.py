"""The interfaces of a loaded model, and the table of the modules that implement it."""

import math
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pkgutil import resolve_name
from types import MappingProxyType
from typing import Any, Protocol, Self, cast, runtime_checkable

import numpy as np
import numpy.typing as npt

from modstream.models.errors import RuntimeUnavailable
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard, Task
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch

Outputs = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Tensors = Mapping[str, npt.NDArray[Any]]
"""Tensors by name."""
NamedOutputs = list[dict[str, Any]]
"""For each row the outputs by name: numbers, strings, bools, or mappings of names to these."""
BatchOutputs = Outputs | NamedOutputs
"""The outputs for a batch of n rows: an array (n,) or (n, k), or a list of n outputs by name."""


@runtime_checkable
class Runtime(Protocol):
    """A loaded model that predicts batches; predicting never changes it."""

    name: str

    def predict(self, batch: Batch) -> Outputs:
        """Predict every row of a batch, in order.

        Returns:
            Binary: (n,) probabilities of the positive class. Multiclass: (n, k) probabilities of
            k classes. Regression: (n,) values. Anomaly: (n,) scores; higher is more anomalous.
            Forecast: (n, 1 + h), the number of the first period and the values of h periods,
            filled with NaN for a row that asks for fewer. A row without a finite prediction is
            filled with NaN.

        Raises:
            PredictError: the machine-learning library failed.
        """

    def snapshot(self) -> bytes:
        """Serialize the model as an artifact that `load` reads."""


@runtime_checkable
class NamedRuntime(Protocol):
    """A loaded model whose outputs are not one array of numbers; predicting never changes it."""

    name: str

    def predict_rows(self, batch: Batch) -> NamedOutputs:
        """Predict every row of a batch, in order.

        Returns:
            For each row its outputs by name. Classifications have `label`, and `margin` or
            `margins` by class if the card's scores are margins. Clusterings have `label`, and
            `distances` or `probabilities` by cluster. Multioutput models have `values` or `labels`
            by target, transformations have `features`. Numbers that are not finite mean that the
            row has no prediction.

        Raises:
            PredictError: the machine-learning library failed.
        """

    def snapshot(self) -> bytes:
        """Serialize the model as an artifact that `load` reads."""


@runtime_checkable
class TensorRuntime(Protocol):
    """A loaded model that takes and returns tensors of any rank; predicting never changes it."""

    name: str

    def predict_tensors(self, inputs: Tensors) -> Tensors:
        """Predict one request: the tensors of the card's `output_tensors` for its `input_tensors`.

        Raises:
            PredictError: the machine-learning library failed.
        """

    def snapshot(self) -> bytes:
        """Serialize the model as an artifact that `load` reads."""


@runtime_checkable
class CompositeRuntime(Protocol):
    """A loaded pipeline, whose steps the inference engine runs with models of their own."""

    name: str

    @property
    def models(self) -> Sequence[tuple[str, int | str]]:
        """The models that the steps ask, each with its version or alias."""

    def snapshot(self) -> bytes:
        """Return the artifact that `load` reads."""


AnyRuntime = Runtime | NamedRuntime | TensorRuntime | CompositeRuntime
"""A loaded model; its card's `output_form` says which of the four it is."""


def models_of_steps(runtime: AnyRuntime) -> Sequence[tuple[str, int | str]]:
    """Return the models that the steps of a pipeline ask; other models ask none."""
    return runtime.models if isinstance(runtime, CompositeRuntime) else ()


class Learning(Protocol):
    """What a runtime that learns online offers in addition: row by row, in the order given."""

    def learn(self, batch: Batch, labels: Sequence[Scalar]) -> None:
        """Learn from rows and their labels, one label per row.

        Raises:
            LearnError: the machine-learning library failed; the model's state is then undefined.
        """

    def copy(self) -> Self:
        """Return an independent copy in the same state.

        Raises:
            ArtifactTooLarge: the model is so large that it should not learn any more.
        """


@runtime_checkable
class LearningRuntime(Learning, Runtime, Protocol):
    """A runtime of arrays that also learns online."""


@runtime_checkable
class NamedLearningRuntime(Learning, NamedRuntime, Protocol):
    """A runtime of named outputs that also learns online."""


def output_shape(card: ModelCard, size: int) -> tuple[int, ...]:
    """Return the shape of `Runtime.predict`'s result for `size` rows."""
    if card.task == "multiclass":
        return (size, len(card.classes))
    return (size, 1 + card.max_horizon) if card.task == "forecast" else (size,)


def has_output(outputs: Outputs, task: Task) -> BoolArray:
    """Return whether each row has a finite prediction, (n,); for forecasts, of the first period."""
    rows = outputs[:, :2] if task == "forecast" else np.atleast_2d(outputs.T).T
    return np.asarray(np.isfinite(rows).all(axis=1), dtype=np.bool_)


def have_outputs(rows: NamedOutputs) -> BoolArray:
    """Return whether all numbers of each row's outputs are finite, (n,)."""
    return np.array([_is_finite(row) for row in rows], dtype=np.bool_)


def _is_finite(value: Any) -> bool:  # noqa: ANN401 - a value of JSON
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def predict_batch(
    runtime: AnyRuntime, card: ModelCard, batch: Batch
) -> tuple[BatchOutputs, BoolArray]:
    """Predict a batch with a model that takes rows.

    Returns:
        The outputs, and whether each row has a prediction, (n,).

    Raises:
        PredictError: the machine-learning library failed.
    """
    if card.output_form == "named":
        rows = cast(NamedRuntime, runtime).predict_rows(batch)
        return rows, have_outputs(rows)
    outputs = cast(Runtime, runtime).predict(batch)
    return outputs, has_output(outputs, card.task)


def usable_rows(runtime: AnyRuntime, card: ModelCard, batch: Batch) -> BoolArray:
    """Return whether a model has a prediction for each row of a batch, (n,).

    Raises:
        PredictError: the machine-learning library failed.
    """
    return predict_batch(runtime, card, batch)[1]


RUNTIMES: Mapping[str, str] = MappingProxyType(
    {
        "onnx": "modstream.models.runtimes.onnx_runtime:load",
        "sklearn": "modstream.models.runtimes.sklearn_runtime:load",
        "river": "modstream.models.runtimes.river.runtime:load",
        "pipeline": "modstream.models.runtimes.pipeline_runtime:load",
        "mean": "modstream.models.runtimes.mean.runtime:load",
    }
)
"""The loader of each runtime, as "module:function"; it is imported when first needed."""
_RIVER_MODULES = ("river.linear_model", "river.preprocessing", "river.compose")
USUAL_MODULES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "river": _RIVER_MODULES,
        "mean": (
            "modstream.models.runtimes.onnx_runtime",
            "modstream.models.runtimes.river.runtime",
            *_RIVER_MODULES,
        ),
    }
)
"""Modules of a runtime's library that most of its artifacts need, and those of the usual parts of a
mean; importing them takes longer than loading an artifact."""
LEARNING_RUNTIMES = frozenset({"river"})
"""The runtimes whose models implement `Learning`."""
CONTINUED_RUNTIMES = LEARNING_RUNTIMES | {"mean"}
"""The runtimes of which a learner publishes one version after the other, after it has loaded it."""


def import_runtime(runtime: str) -> None:
    """Import a runtime's libraries, so that its first load is quick.

    Raises:
        KeyError: the runtime is unknown.
        ImportError: a library is not installed.
    """
    module, _, _ = RUNTIMES[runtime].partition(":")
    for name in (module, *USUAL_MODULES.get(runtime, ())):
        import_module(name)


def load(artifact: Artifact, card: ModelCard) -> AnyRuntime:
    """Build a runtime from an artifact, after checking that it is the card's artifact.

    Raises:
        ArtifactError: the hash is not the card's, the artifact names forbidden content, or it
            cannot be read.
    """
    artifact.verify(card)
    return _resolve_loader(card.runtime)(artifact.content, card)


def _resolve_loader(runtime: str) -> Callable[[bytes, ModelCard], AnyRuntime]:
    if runtime not in RUNTIMES:
        raise RuntimeUnavailable(runtime, f"the known runtimes are {', '.join(sorted(RUNTIMES))}")
    try:
        loader: Callable[[bytes, ModelCard], AnyRuntime] = resolve_name(RUNTIMES[runtime])
    except ImportError as error:
        raise RuntimeUnavailable(runtime, str(error)) from error
    return loader
