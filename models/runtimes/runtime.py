"""The interface of a loaded model, and the table of the modules that implement it."""

from collections.abc import Callable, Mapping, Sequence
from pkgutil import resolve_name
from types import MappingProxyType
from typing import Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from modstream.models.errors import RuntimeUnavailable
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard, Task
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch

Outputs = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


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
class LearningRuntime(Runtime, Protocol):
    """A runtime that also learns online, row by row, in the order given."""

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


def output_shape(card: ModelCard, size: int) -> tuple[int, ...]:
    """Return the shape of `Runtime.predict`'s result for `size` rows."""
    if card.task == "multiclass":
        return (size, len(card.classes))
    return (size, 1 + card.max_horizon) if card.task == "forecast" else (size,)


def has_output(outputs: Outputs, task: Task) -> BoolArray:
    """Return whether each row has a finite prediction, (n,); for forecasts, of the first period."""
    rows = outputs[:, :2] if task == "forecast" else np.atleast_2d(outputs.T).T
    return np.asarray(np.isfinite(rows).all(axis=1), dtype=np.bool_)


RUNTIMES: Mapping[str, str] = MappingProxyType(
    {
        "onnx": "modstream.models.runtimes.onnx_runtime:load",
        "sklearn": "modstream.models.runtimes.sklearn_runtime:load",
        "river": "modstream.models.runtimes.river.runtime:load",
    }
)
"""The loader of each runtime, as "module:function"; it is imported when first needed."""
LEARNING_RUNTIMES = frozenset({"river"})
"""The runtimes whose models implement `LearningRuntime`."""


def load(artifact: Artifact, card: ModelCard) -> Runtime:
    """Build a runtime from an artifact, after checking that it is the card's artifact.

    Raises:
        ArtifactError: the hash is not the card's, the artifact names forbidden content, or it
            cannot be read.
    """
    artifact.verify(card)
    return _resolve_loader(card.runtime)(artifact.content, card)


def _resolve_loader(runtime: str) -> Callable[[bytes, ModelCard], Runtime]:
    if runtime not in RUNTIMES:
        raise RuntimeUnavailable(runtime, f"the known runtimes are {', '.join(sorted(RUNTIMES))}")
    try:
        loader: Callable[[bytes, ModelCard], Runtime] = resolve_name(RUNTIMES[runtime])
    except ImportError as error:
        raise RuntimeUnavailable(runtime, str(error)) from error
    return loader
