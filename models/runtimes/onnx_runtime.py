"""Runtime of ONNX models, on ONNX Runtime: https://onnxruntime.ai."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import onnxruntime as ort

from modstream.models.errors import PredictError, UnreadableArtifact
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.onnx_safety import sanitize_onnx
from modstream.models.runtimes.runtime import Outputs, output_shape
from modstream.models.schema.card import ModelCard
from modstream.models.schema.columns import FeatureColumn
from modstream.models.schema.input_schema import Batch

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
_FLOAT_TYPES = frozenset({"tensor(float)", "tensor(double)"})
ROUNDING_TOLERANCE = 1e-5
"""Distance outside 0 to 1 up to which a probability counts as a float32 rounding error."""

Feeds = dict[str, FeatureColumn]


def load(artifact: bytes, card: ModelCard) -> "OnnxRuntime":
    """Open an ONNX Runtime session on an artifact.

    The model's inputs have to be one [n, 1] tensor per feature, by name, or a single [n, k]
    tensor. Predictions are read from the last float output, where scikit-learn's exporter puts the
    probabilities of a classifier.

    Raises:
        ArtifactTooLarge: the artifact is larger than the largest one allowed.
        ExternalData: the model refers to files.
        UnreadableArtifact: it is damaged, or its inputs or outputs do not fit the card.
    """
    checked = sanitize_onnx(artifact)
    with translate_library_errors(partial(UnreadableArtifact, "onnx")):
        session = ort.InferenceSession(checked, _options(), providers=["CPUExecutionProvider"])
    return OnnxRuntime(session, artifact, card)


def _options() -> ort.SessionOptions:
    """Return options for one thread, as there are many workers, and for the ONNX format only.

    ONNX Runtime would otherwise also load its own format, which `sanitize_onnx` does not check.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return options


class OnnxRuntime:
    """An ONNX Runtime session and the artifact it was opened on."""

    name = "onnx"

    def __init__(self, session: ort.InferenceSession, artifact: bytes, card: ModelCard) -> None:
        self._session = session
        self._artifact = artifact
        self._card = card
        self._output = _select_output(session)
        self._feed = _select_feed(session, card)

    def predict(self, batch: Batch) -> Outputs:
        """Predict every row; see `Runtime.predict`."""
        shape = output_shape(self._card, batch.size)
        if not batch.size:
            return np.empty(shape)
        with translate_library_errors(partial(PredictError, self.name)):
            (raw,) = self._session.run([self._output], self._feed(batch))
            is_pair = self._card.task == "binary" and raw.shape == (batch.size, 2)
            outputs = np.asarray(raw[:, 1] if is_pair else raw, dtype=np.float64).reshape(shape)
        return outputs if self._card.task == "regression" else _clip_rounding_errors(outputs)

    def snapshot(self) -> bytes:
        """Return the artifact; a session never changes."""
        return self._artifact


def _clip_rounding_errors(probabilities: Outputs) -> Outputs:
    """Clip probabilities that float32 rounding put just outside 0 to 1; keep all other values."""
    nearest = np.clip(probabilities, 0.0, 1.0)
    return np.where(np.abs(probabilities - nearest) < ROUNDING_TOLERANCE, nearest, probabilities)


def _select_output(session: ort.InferenceSession) -> str:
    floats = [out.name for out in session.get_outputs() if out.type in _FLOAT_TYPES]
    if not floats:
        reason = "none of its outputs is a tensor of floats; export classifiers without zipmap"
        raise UnreadableArtifact("onnx", reason)
    return str(floats[-1])


def _select_feed(session: ort.InferenceSession, card: ModelCard) -> Callable[[Batch], Feeds]:
    """Return the function that feeds a batch to the session's inputs.

    Raises:
        UnreadableArtifact: the inputs do not fit the card's features.
    """
    inputs = {declared.name: declared for declared in session.get_inputs()}
    unknown = {declared.type for declared in inputs.values()} - _DTYPES.keys()
    if unknown:
        raise UnreadableArtifact("onnx", f"inputs of type {', '.join(unknown)} are not supported")
    names = card.input_schema.names
    if inputs.keys() == set(names):
        return partial(_feed_columns, list(inputs.values()))
    if len(inputs) == 1:
        return partial(_feed_matrix, next(iter(inputs.values())), names)
    reason = f"its inputs {', '.join(inputs)} do not fit the card's features {', '.join(names)}"
    raise UnreadableArtifact("onnx", reason)


def _feed_columns(inputs: Sequence[ort.NodeArg], batch: Batch) -> Feeds:
    return {
        declared.name: _cast(batch.columns[declared.name], declared).reshape(
            (-1, 1)[: len(declared.shape)]
        )
        for declared in inputs
    }


def _feed_matrix(declared: ort.NodeArg, names: Sequence[str], batch: Batch) -> Feeds:
    if batch.matrix is not None:
        return {declared.name: _cast(batch.matrix, declared)}
    columns = [_cast(batch.columns[name], declared) for name in names]
    return {declared.name: np.column_stack(columns)}


def _cast(column: FeatureColumn, declared: ort.NodeArg) -> FeatureColumn:
    """Cast to the input's type; values beyond float32's range become infinite, as in training."""
    with np.errstate(over="ignore"):
        return column.astype(_DTYPES[declared.type], copy=False)
