"""LitServe with ONNX Runtime, written after its guide: https://lightning.ai/docs/litserve."""

import sys
from typing import Any

import litserve
from tensors import PATH, Model


class Api(litserve.LitAPI):
    """Answers calls of the Open Inference Protocol."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Open the model."""
        self._model = Model()

    def decode_request(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the call."""
        return request

    def predict(self, call: dict[str, Any]) -> dict[str, Any]:
        """Answer it."""
        return self._model.infer(call)

    def encode_response(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return the answer."""
        return answer


if __name__ == "__main__":
    server = litserve.LitServer(Api(api_path=PATH), accelerator="cpu", workers_per_device=1)
    server.run(
        port=int(sys.argv[1]),
        host="127.0.0.1",
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
    )
