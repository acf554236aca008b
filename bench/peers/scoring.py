"""Shared by the Python peers: scores JSON requests with the workload's ONNX model."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
import orjson


class Scorer:
    """Scores requests with rows of floats by name or [1, k] tensors, in one run of the model."""

    def __init__(self, path: str) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[-1].name

    def __call__(self, values: Sequence[bytes]) -> list[bytes]:
        """Return one response for each request, in their order."""
        requests = [orjson.loads(value) for value in values]
        rows = np.array([numbers(request) for request in requests], np.float32)
        (scores,) = self._session.run([self._output], {self._input: rows})
        return [
            orjson.dumps({"id": request["id"], "outputs": outputs})
            for request, outputs in zip(requests, scores.tolist(), strict=True)
        ]


def numbers(request: Mapping[str, Any]) -> list[float]:
    """Return the features of a request, in the model's order."""
    if "features" in request:
        return list(request["features"].values())
    return request["inputs"][0]["data"]
