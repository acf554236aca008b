"""A runtime for ONNX files, written after MLServer's guide to custom runtimes.

Source: https://docs.seldon.ai/mlserver/user-guide/custom.
"""

import numpy as np
import onnxruntime as ort
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from mlserver.utils import get_model_uri


class Onnx(MLModel):
    """Scores one tensor with any number of rows; MLServer combines requests into batches."""

    async def load(self) -> bool:
        """Open the ONNX session."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        path = await get_model_uri(self.settings)
        self._session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[-1].name
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Score all rows of one request, or of several combined requests."""
        rows = NumpyCodec.decode_input(payload.inputs[0]).astype(np.float32)
        (scores,) = self._session.run([self._output], {self._input: rows})
        outputs = [NumpyCodec.encode_output("probabilities", scores)]
        return InferenceResponse(model_name=self.name, id=payload.id, outputs=outputs)
