"""Runtime of ONNX models, on ONNX Runtime: https://onnxruntime.ai."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import onnxruntime as ort

from modstream.models.errors import PredictError, UnreadableArtifact
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.onnx_named_runtime import OnnxNamedRuntime
from modstream.models.runtimes.onnx_rows import RowRunner
from modstream.models.runtimes.onnx_run_limit import PREDICT_LIMIT_SECONDS
from modstream.models.runtimes.onnx_session import FLOAT_TYPES, OnnxSession, is_numeric
from modstream.models.runtimes.onnx_tensor_runtime import OnnxTensorRuntime
from modstream.models.runtimes.runtime import Outputs, output_shape
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Batch

ROUNDING_TOLERANCE = 1e-5
"""Distance outside 0 to 1 up to which a probability counts as a float32 rounding error."""


def load(
    artifact: bytes, card: ModelCard, limit: float = PREDICT_LIMIT_SECONDS
) -> "OnnxRuntime | OnnxNamedRuntime | OnnxTensorRuntime":
    """Open an ONNX Runtime session on an artifact.

    A model of rows has one input [n, 1] or [n] per feature, by name, or a single input [n, k]. Its
    numbers are those of the last float output, where scikit-learn's exporter puts the scores of a
    classifier; its labels are those of the first output of another kind. `limit` is the longest
    time, in seconds, that one batch may take.

    Raises:
        ArtifactTooLarge: the artifact is larger than the largest one allowed.
        ExternalData: the model refers to files.
        UnreadableArtifact: it is damaged, or its inputs or outputs do not fit the card.
    """
    session = OnnxSession(artifact, limit)
    if card.output_form == "tensors":
        return OnnxTensorRuntime(session, card)
    if card.output_form == "named":
        return OnnxNamedRuntime(session, card)
    return OnnxRuntime(session, card)


class OnnxRuntime:
    """A model whose outputs are one array of numbers."""

    name = "onnx"

    def __init__(self, session: OnnxSession, card: ModelCard) -> None:
        self._session = session
        self._card = card
        self._rows = RowRunner(session, card.input_schema.names)
        self._output = _select_output(session.outputs)
        self._is_probability = card.task in {"binary", "multiclass"}

    def predict(self, batch: Batch) -> Outputs:
        """Predict every row; see `Runtime.predict`."""
        shape = output_shape(self._card, batch.size)
        if not batch.size:
            return np.empty(shape)
        with translate_library_errors(partial(PredictError, self.name)):
            (raw,) = self._rows.run([self._output], batch)
            is_pair = self._card.task == "binary" and raw.shape == (batch.size, 2)
            outputs = np.asarray(raw[:, 1] if is_pair else raw, dtype=np.float64).reshape(shape)
        return _clip_rounding_errors(outputs) if self._is_probability else outputs

    def snapshot(self) -> bytes:
        """Return the artifact; a session never changes."""
        return self._session.artifact

    @property
    def is_exhausted(self) -> bool:
        """Whether the model exceeded its time limit so often that it should not be asked."""
        return self._session.is_exhausted


def _clip_rounding_errors(probabilities: Outputs) -> Outputs:
    """Clip probabilities that float32 rounding put just outside 0 to 1; keep all other values."""
    nearest = np.clip(probabilities, 0.0, 1.0)
    return np.where(np.abs(probabilities - nearest) < ROUNDING_TOLERANCE, nearest, probabilities)


def _select_output(outputs: Sequence[ort.NodeArg]) -> str:
    """Return the name of the last float output, or of the only one if it has integers."""
    floats = [out.name for out in outputs if out.type in FLOAT_TYPES]
    if not floats and len(outputs) == 1 and is_numeric(outputs[0]):
        floats = [outputs[0].name]
    if not floats:
        reason = "none of its outputs is a tensor of floats; export classifiers without zipmap"
        raise UnreadableArtifact("onnx", reason)
    return str(floats[-1])
