"""What every model can do, and the one table that says which module does it."""

from collections.abc import Callable, Mapping, Sequence
from pkgutil import resolve_name
from types import MappingProxyType
from typing import Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from modstream.models.errors import RuntimeUnavailable
from modstream.models.schema.artifact import verify
from modstream.models.schema.card import ModelCard, Task
from modstream.models.schema.input_schema import Batch, Scalar

Outputs = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@runtime_checkable
class Runtime(Protocol):
    """A loaded model that answers batches and never changes by answering."""

    name: str

    def predict(self, batch: Batch) -> Outputs:
        """Answer every row, in order.

        The shape is (n,) for the probability of the positive class, the value of a regression or
        the score of an anomaly (higher is odder), (n, k) for the probabilities of k > 2 classes,
        and (n, 1 + h) for forecasts of up to h periods: the number of the first period, then the
        values; those of a row that asks for fewer end in NaN. A model without a finite answer for
        a row says NaN there, and nothing else.

        Raises:
            PredictError: the library behind the runtime failed.
        """

    def snapshot(self) -> bytes:
        """Write the model as an artifact that `load` reads."""


@runtime_checkable
class LearningRuntime(Runtime, Protocol):
    """A runtime that also learns, row by row, in the order given."""

    def learn(self, batch: Batch, labels: Sequence[Scalar]) -> None:
        """Learn from rows and their labels, one label per row.

        Raises:
            LearnError: the library behind the runtime failed; the state is undefined then.
        """

    def copy(self) -> Self:
        """Make an independent runtime in the same state.

        Raises:
            ArtifactTooLarge: the model has grown so large that it should learn no more.
        """


def output_shape(card: ModelCard, size: int) -> tuple[int, ...]:
    """Say which shape the answer to `size` rows has."""
    if card.task == "multiclass":
        return (size, len(card.classes))
    return (size, 1 + card.horizon) if card.task == "forecast" else (size,)


def answered(outputs: Outputs, task: Task) -> Mask:
    """Say of each row whether the model had an answer for it, (n,)."""
    rows = outputs[:, :2] if task == "forecast" else np.atleast_2d(outputs.T).T
    return np.asarray(np.isfinite(rows).all(axis=1), dtype=np.bool_)


RUNTIMES: Mapping[str, str] = MappingProxyType(
    {
        "onnx": "modstream.models.runtimes.onnx_runtime:load",
        "sklearn": "modstream.models.runtimes.sklearn_runtime:load",
        "river": "modstream.models.runtimes.river.runtime:load",
    }
)
"""The loader of each runtime, as "module:function", imported when the first model asks for it."""
LEARNING = frozenset({"river"})
"""The runtimes that are a `LearningRuntime`."""


def load(artifact: bytes, card: ModelCard) -> Runtime:
    """Turn an artifact into a runtime, after its hash has been checked.

    Raises:
        ArtifactError: the bytes are not the card's, are refused, or cannot be read.
    """
    verify(artifact, card)
    return _loader(card.runtime)(artifact, card)


def _loader(runtime: str) -> Callable[[bytes, ModelCard], Runtime]:
    if runtime not in RUNTIMES:
        raise RuntimeUnavailable(runtime, f"known are {', '.join(sorted(RUNTIMES))}")
    try:
        loader: Callable[[bytes, ModelCard], Runtime] = resolve_name(RUNTIMES[runtime])
    except ImportError as error:
        raise RuntimeUnavailable(runtime, str(error)) from error
    return loader
