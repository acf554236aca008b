"""What the server and its models are, as the JSON of the protocol. `grpc_metadata` has the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from modstream.producers.gateway.protocol.errors import ProtocolError

SERVER_NAME = "modstream"
EXTENSIONS = ("binary_tensor_data", "classification", "statistics", "model_repository")
"""The extensions of the protocol that the gateway has. Of the repository, it has the index only."""
VARIABLE = -1
"""A dimension of any length."""
TRITON_TYPES: Mapping[str, str] = MappingProxyType({"BYTES": "TYPE_STRING"})
"""The names of data types in a model's configuration, where they are not `TYPE_<name>`."""


@dataclass(frozen=True, slots=True)
class TensorDescription:
    """A tensor that a model takes or returns; a dimension of -1 has any length."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """A model, or one version of it.

    `versions` are all that are available, `platform` names the format, such as `onnx_onnxv1`.
    `properties` are further facts, by name; gRPC has no place for them.
    """

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorDescription, ...]
    outputs: tuple[TensorDescription, ...]
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Duration:
    """How often something was done, and how many nanoseconds it took altogether."""

    count: int = 0
    ns: int = 0


@dataclass(frozen=True, slots=True)
class ModelStatistics:
    """What a version has answered. What is not measured has a count of 0.

    `last_inference` is in ms since the epoch. `inference_count` counts rows, `execution_count`
    batches. `queue` is the time between the request and its execution.
    """

    name: str
    version: str
    last_inference: int = 0
    inference_count: int = 0
    execution_count: int = 0
    success: Duration = Duration()
    fail: Duration = Duration()
    queue: Duration = Duration()
    compute_input: Duration = Duration()
    compute_infer: Duration = Duration()
    compute_output: Duration = Duration()
    cache_hit: Duration = Duration()
    cache_miss: Duration = Duration()


STATISTIC_NAMES = (
    "success", "fail", "queue", "compute_input", "compute_infer", "compute_output",
    "cache_hit", "cache_miss",
)  # fmt: skip
"""The durations of `ModelStatistics`, in the order of the protocol."""


@dataclass(frozen=True, slots=True)
class ModelState:
    """One line of the index of models; `reason` says why a model is not ready."""

    name: str
    version: str
    state: Literal["READY", "LOADING", "UNLOADING", "UNAVAILABLE"]
    reason: str = ""


def server_metadata(version: str) -> dict[str, Any]:
    """Return the answer to `GET /v2`; `version` is that of modstream."""
    return {"name": SERVER_NAME, "version": version, "extensions": list(EXTENSIONS)}


def model_metadata(model: ModelDescription) -> dict[str, Any]:
    """Return the answer to `GET /v2/models/{name}`."""
    found: dict[str, Any] = {
        "name": model.name,
        "versions": list(model.versions),
        "platform": model.platform,
        "inputs": list(map(_tensor, model.inputs)),
        "outputs": list(map(_tensor, model.outputs)),
    }
    if model.properties:
        found["properties"] = dict(model.properties)
    return found


def _tensor(tensor: TensorDescription) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}


def model_config(model: ModelDescription) -> dict[str, Any]:
    """Return the answer to `GET /v2/models/{name}/config`, as far as it applies.

    The shapes include the dimension of the rows, so `max_batch_size` is 0.
    """
    return {
        "name": model.name,
        "platform": model.platform,
        "backend": model.platform.partition("_")[0],
        "max_batch_size": 0,
        "input": list(map(_config_tensor, model.inputs)),
        "output": list(map(_config_tensor, model.outputs)),
    }


def _config_tensor(tensor: TensorDescription) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "data_type": triton_type(tensor.datatype),
        "dims": list(tensor.shape),
    }


def triton_type(datatype: str) -> str:
    """Return the name of a data type in a model's configuration."""
    return TRITON_TYPES.get(datatype, f"TYPE_{datatype}")


def statistics(models: Sequence[ModelStatistics]) -> dict[str, Any]:
    """Return the answer to `GET /v2/models/stats`, and to that of one model."""
    return {"model_stats": list(map(_statistics, models))}


def _statistics(model: ModelStatistics) -> dict[str, Any]:
    return {
        "name": model.name,
        "version": model.version,
        "last_inference": model.last_inference,
        "inference_count": model.inference_count,
        "execution_count": model.execution_count,
        "inference_stats": {name: asdict(getattr(model, name)) for name in STATISTIC_NAMES},
        "response_stats": {},
        "batch_stats": [],
        "memory_usage": [],
    }


def repository_index(
    models: Sequence[ModelState], *, ready_only: bool = False
) -> list[dict[str, str]]:
    """Return the answer to `POST /v2/repository/index`."""
    return [asdict(model) for model in models if model.state == "READY" or not ready_only]


def read_index_request(fields: object) -> bool:
    """Return whether a request for the index, as parsed JSON, asks for ready models only.

    Raises:
        ProtocolError: the request is not as the protocol says.
    """
    if fields is None:
        return False
    if not isinstance(fields, dict):
        raise ProtocolError(400, 'the body must be an object, such as {"ready": true}, or empty')
    ready = fields.get("ready", False)
    if not isinstance(ready, bool):
        raise ProtocolError(400, "ready: must be true or false")
    return ready
