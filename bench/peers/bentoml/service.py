"""BentoML with ONNX Runtime, written after its guide: https://docs.bentoml.com."""

from typing import Any

import bentoml
from tensors import PATH, Model


@bentoml.service(workers=1, traffic={"timeout": 60})
class Scorer:
    """Answers calls of the Open Inference Protocol."""

    def __init__(self) -> None:
        self._model = Model()

    @bentoml.api(route=PATH)
    def infer(self, inputs: list[dict[str, Any]], id: str = "") -> dict[str, Any]:  # noqa: A002
        """Answer a call."""
        return self._model.infer({"inputs": inputs, "id": id})
