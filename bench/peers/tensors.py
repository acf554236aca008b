"""Shared by the HTTP peers: answers calls of the Open Inference Protocol with an ONNX model."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime as ort

NAME = "logistic"
PATH = f"/v2/models/{NAME}/infer"


class Model:
    """The model of the file that BENCH_MODEL names, with one thread."""

    def __init__(self) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        path = os.environ["BENCH_MODEL"]
        self._session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[-1].name

    def score(self, rows: np.ndarray) -> np.ndarray:
        """Return the probabilities of all rows."""
        (scores,) = self._session.run([self._output], {self._input: rows.astype(np.float32)})
        return scores

    def infer(self, call: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a call with one tensor."""
        tensor = call["inputs"][0]
        scores = self.score(np.array(tensor["data"], np.float32).reshape(tensor["shape"]))
        output = {
            "name": "probabilities",
            "shape": list(scores.shape),
            "datatype": "FP32",
            "data": scores.ravel().tolist(),
        }
        return {"model_name": NAME, "id": call.get("id", ""), "outputs": [output]}
