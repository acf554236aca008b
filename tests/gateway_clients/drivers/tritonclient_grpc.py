"""Triton's gRPC client: raw tensors always."""

from functools import cache

from arrays import array_of, output_of
from driver import run
from tritonclient import grpc


@cache
def client_at(url):
    """Return the client, whose channel is kept between the calls."""
    return grpc.InferenceServerClient(url)


def infer(task, call):
    """Make a call."""
    inputs = []
    for tensor in call["inputs"]:
        one = grpc.InferInput(tensor["name"], tensor["shape"], tensor["datatype"])
        one.set_data_from_numpy(array_of(tensor))
        inputs.append(one)
    outputs = [
        grpc.InferRequestedOutput(one["name"], class_count=one["classes"])
        for one in call["outputs"]
    ]
    parameters = dict(call["parameters"])
    parameters.pop("binary_data_output", None)
    options = {name: parameters.pop(name) for name in ("priority", "timeout") if name in parameters}
    found = client_at(task["grpc"]).infer(
        call["model"],
        inputs,
        model_version=call["version"],
        outputs=outputs or None,
        request_id=call["id"],
        compression_algorithm=call["compression"] or None,
        parameters=parameters or None,
        **options,
    )
    response = found.get_response()
    return {
        "model": response.model_name,
        "version": response.model_version,
        "id": response.id,
        "outputs": [
            output_of(one.name, one.datatype, found.as_numpy(one.name)) for one in response.outputs
        ],
    }


def describe(task, model):
    """Return what the client tells about the server and a model."""
    client = client_at(task["grpc"])
    metadata = client.get_model_metadata(model)
    statistics = client.get_inference_statistics
    return {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model_ready": client.is_model_ready(model),
        "version_ready": client.is_model_ready(model, "1"),
        "unknown_ready": client.is_model_ready("unknown"),
        "server": client.get_server_metadata().name,
        "inputs": [one.name for one in metadata.inputs],
        "versions": list(metadata.versions),
        "config": client.get_model_config(model).config.name,
        "statistics": statistics(model).model_stats[0].name,
        "all_statistics": len(statistics().model_stats),
        "index": sorted({one.name for one in client.get_model_repository_index().models}),
    }


run(infer, describe)
