"""What the server and its models are, as gRPC messages; `metadata` has the same as JSON."""

from collections.abc import Sequence

from modstream.producers.gateway.protocol.metadata import (
    EXTENSIONS,
    SERVER_NAME,
    STATISTIC_NAMES,
    ModelDescription,
    ModelState,
    ModelStatistics,
    TensorDescription,
    triton_type,
)
from modstream.producers.gateway.protocol.stubs import inference_pb2


def server_metadata(version: str) -> inference_pb2.ServerMetadataResponse:
    """Return the answer to ServerMetadata; `version` is that of modstream."""
    return inference_pb2.ServerMetadataResponse(
        name=SERVER_NAME, version=version, extensions=EXTENSIONS
    )


def model_metadata(model: ModelDescription) -> inference_pb2.ModelMetadataResponse:
    """Return the answer to ModelMetadata."""
    return inference_pb2.ModelMetadataResponse(
        name=model.name,
        versions=model.versions,
        platform=model.platform,
        inputs=map(_tensor, model.inputs),
        outputs=map(_tensor, model.outputs),
    )


def _tensor(tensor: TensorDescription) -> inference_pb2.ModelMetadataResponse.TensorMetadata:
    return inference_pb2.ModelMetadataResponse.TensorMetadata(
        name=tensor.name, datatype=tensor.datatype, shape=tensor.shape
    )


def model_config(model: ModelDescription) -> inference_pb2.ModelConfigResponse:
    """Return the answer to ModelConfig."""
    config = inference_pb2.ModelConfig(
        name=model.name,
        platform=model.platform,
        backend=model.platform.partition("_")[0],
        input=[
            inference_pb2.ModelInput(
                name=one.name, data_type=triton_type(one.datatype), dims=one.shape
            )
            for one in model.inputs
        ],
        output=[
            inference_pb2.ModelOutput(
                name=one.name, data_type=triton_type(one.datatype), dims=one.shape
            )
            for one in model.outputs
        ],
    )
    return inference_pb2.ModelConfigResponse(config=config)


def statistics(models: Sequence[ModelStatistics]) -> inference_pb2.ModelStatisticsResponse:
    """Return the answer to ModelStatistics."""
    return inference_pb2.ModelStatisticsResponse(model_stats=map(_statistics, models))


def _statistics(model: ModelStatistics) -> inference_pb2.ModelStatistics:
    found = inference_pb2.ModelStatistics(
        name=model.name,
        version=model.version,
        last_inference=model.last_inference,
        inference_count=model.inference_count,
        execution_count=model.execution_count,
    )
    for name in STATISTIC_NAMES:
        duration = getattr(model, name)
        written = getattr(found.inference_stats, name)
        written.count, written.ns = duration.count, duration.ns
    return found


def repository_index(
    models: Sequence[ModelState], *, ready_only: bool = False
) -> inference_pb2.RepositoryIndexResponse:
    """Return the answer to RepositoryIndex."""
    return inference_pb2.RepositoryIndexResponse(
        models=[
            inference_pb2.RepositoryIndexResponse.ModelIndex(
                name=model.name, version=model.version, state=model.state, reason=model.reason
            )
            for model in models
            if model.state == "READY" or not ready_only
        ]
    )
