"""Models in ONNX, by ONNX Runtime: https://onnxruntime.ai."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import onnxruntime as ort

from modstream.models.errors import PredictError, UnreadableArtifact
from modstream.models.runtimes.library_errors import translated
from modstream.models.runtimes.onnx_safety import self_contained
from modstream.models.runtimes.runtime import Outputs, output_shape
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Batch, Column

_DTYPES: Mapping[str, Any] = MappingProxyType(
    {
        "tensor(float)": np.float32,
        "tensor(double)": np.float64,
        "tensor(int64)": np.int64,
        "tensor(int32)": np.int32,
        "tensor(bool)": np.bool_,
        "tensor(string)": np.object_,
    }
)
_FLOATS = frozenset({"tensor(float)", "tensor(double)"})
ROUNDING = 1e-5

Feeds = dict[str, Column]


def load(artifact: bytes, card: ModelCard) -> "OnnxRuntime":
    """Open a session on an ONNX artifact.

    Its inputs are one [n, 1] tensor per feature, by name, or a single [n, k] tensor. Of its
    outputs, the last float tensor is the answer, which is where scikit-learn's exporter puts the
    probabilities of a classifier.

    Raises:
        ExternalData: the model refers to files.
        UnreadableArtifact: it is damaged, or its inputs or outputs do not fit the card.
    """
    checked = self_contained(artifact)
    with translated(partial(UnreadableArtifact, "onnx")):
        session = ort.InferenceSession(checked, _options(), providers=["CPUExecutionProvider"])
    return OnnxRuntime(session, artifact, card)


def _options() -> ort.SessionOptions:
    """Use one thread, as workers are many, and ONNX only: ORT's own format was not checked."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return options


class OnnxRuntime:
    """An open ONNX Runtime session and the artifact that it was opened on."""

    name = "onnx"

    def __init__(self, session: ort.InferenceSession, artifact: bytes, card: ModelCard) -> None:
        self._session = session
        self._artifact = artifact
        self._card = card
        self._output = _output_of(session)
        self._feed = _feeder(session, card)

    def predict(self, batch: Batch) -> Outputs:
        """Answer every row as `Runtime.predict` says."""
        shape = output_shape(self._card, batch.size)
        if not batch.size:
            return np.empty(shape)
        with translated(partial(PredictError, self.name)):
            (raw,) = self._session.run([self._output], self._feed(batch))
            is_pair = self._card.task == "binary" and raw.shape == (batch.size, 2)
            answer = raw[:, 1] if is_pair else raw
            found = np.asarray(answer, dtype=np.float64).reshape(shape)
        return found if self._card.task == "regression" else _rounded(found)

    def snapshot(self) -> bytes:
        """Give back the artifact: a session never changes."""
        return self._artifact


def _rounded(probabilities: Outputs) -> Outputs:
    """Bring what float32 sums have carried just past 0 or 1 back to it; leave all else alone."""
    nearest = np.clip(probabilities, 0.0, 1.0)
    return np.where(np.abs(probabilities - nearest) < ROUNDING, nearest, probabilities)


def _output_of(session: ort.InferenceSession) -> str:
    floats = [out.name for out in session.get_outputs() if out.type in _FLOATS]
    if not floats:
        raise UnreadableArtifact("onnx", "no output is a tensor of floats; export without zipmap")
    return str(floats[-1])


def _feeder(session: ort.InferenceSession, card: ModelCard) -> Callable[[Batch], Feeds]:
    """Compare the session's inputs with the card and choose how a batch is fed to them."""
    inputs = {declared.name: declared for declared in session.get_inputs()}
    unknown = {declared.type for declared in inputs.values()} - _DTYPES.keys()
    if unknown:
        raise UnreadableArtifact("onnx", f"inputs of type {', '.join(unknown)} are not supported")
    names = card.input_schema.names
    if inputs.keys() == set(names):
        return partial(_columns, list(inputs.values()))
    if len(inputs) == 1:
        return partial(_matrix, next(iter(inputs.values())), names)
    reason = f"its inputs are {', '.join(inputs)}, the card's features {', '.join(names)}"
    raise UnreadableArtifact("onnx", reason)


def _columns(inputs: Sequence[ort.NodeArg], batch: Batch) -> Feeds:
    return {
        declared.name: _cast(batch.columns[declared.name], declared).reshape(
            (-1, 1)[: len(declared.shape)]
        )
        for declared in inputs
    }


def _matrix(declared: ort.NodeArg, names: Sequence[str], batch: Batch) -> Feeds:
    if batch.matrix is not None:
        return {declared.name: _cast(batch.matrix, declared)}
    columns = [_cast(batch.columns[name], declared) for name in names]
    return {declared.name: np.column_stack(columns)}


def _cast(column: Column, declared: ort.NodeArg) -> Column:
    """Cast to the input's type; what overflows float32 becomes infinite, as in training."""
    with np.errstate(over="ignore"):
        return column.astype(_DTYPES[declared.type], copy=False)
