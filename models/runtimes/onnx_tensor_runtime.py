"""Runtime of ONNX models that take and return tensors of any rank."""

from modstream.models.errors import UnreadableArtifact
from modstream.models.runtimes.onnx_session import OnnxSession
from modstream.models.runtimes.runtime import Tensors
from modstream.models.schema.card import ModelCard


class OnnxTensorRuntime:
    """A model whose inputs and outputs are the tensors of its card."""

    name = "onnx"

    def __init__(self, session: OnnxSession, card: ModelCard) -> None:
        """Check that the graph has the card's tensors.

        Raises:
            UnreadableArtifact: it has others.
        """
        inputs = {declared.name for declared in session.inputs}
        outputs = [spec.name for spec in card.output_tensors]
        missing = {*inputs} ^ {spec.name for spec in card.input_tensors}
        missing |= {*outputs} - {declared.name for declared in session.outputs}
        if missing or not outputs:
            names = ", ".join(sorted(missing)) or "its outputs"
            raise UnreadableArtifact("onnx", f"graph and card differ in the tensors {names}")
        self._session = session
        self._outputs = outputs

    def predict_tensors(self, inputs: Tensors) -> Tensors:
        """Predict one request; see `TensorRuntime.predict_tensors`."""
        size = sum(tensor.size for tensor in inputs.values())
        found = self._session.run(self._outputs, dict(inputs), size=size)
        return dict(zip(self._outputs, found, strict=True))

    def snapshot(self) -> bytes:
        """Return the artifact; a session never changes."""
        return self._session.artifact

    @property
    def is_exhausted(self) -> bool:
        """Whether the model exceeded its time limit so often that it should not be asked."""
        return self._session.is_exhausted
