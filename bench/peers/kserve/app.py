"""KServe's model server with ONNX Runtime, written after its guide to custom models.

Source: https://kserve.github.io/website/docs/model-serving/predictive-inference/frameworks/custom-predictor.
"""

from kserve import InferRequest, InferResponse, Model, ModelServer
from kserve.utils.utils import get_predict_response
from tensors import NAME
from tensors import Model as Scorer


class Onnx(Model):
    """Answers calls of the Open Inference Protocol."""

    def __init__(self) -> None:
        super().__init__(NAME)
        self._scorer = Scorer()
        self.ready = True

    async def predict(
        self, payload: InferRequest, headers: dict[str, str] | None = None
    ) -> InferResponse:
        """Answer a call."""
        del headers
        rows = payload.inputs[0].as_numpy()
        return get_predict_response(payload, self._scorer.score(rows), self.name)


if __name__ == "__main__":
    ModelServer(workers=1, enable_grpc=False).start([Onnx()])
