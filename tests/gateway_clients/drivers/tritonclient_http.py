"""Triton's HTTP client: JSON, or raw tensors."""

from functools import cache

from arrays import array_of, output_of
from driver import run
from tritonclient import http


@cache
def client_at(url):
    """Return the client, whose connection is kept between the calls."""
    return http.InferenceServerClient(url)


def infer(task, call):
    """Make a call."""
    is_binary = task["form"] == "binary"
    inputs = []
    for tensor in call["inputs"]:
        one = http.InferInput(tensor["name"], tensor["shape"], tensor["datatype"])
        one.set_data_from_numpy(array_of(tensor), binary_data=is_binary)
        inputs.append(one)
    outputs = [
        http.InferRequestedOutput(
            one["name"],
            binary_data=is_binary if one["binary"] is None else one["binary"],
            class_count=one["classes"],
        )
        for one in call["outputs"]
    ]
    if not is_binary and not outputs:
        # It asks for raw outputs unless they are named.
        outputs = [http.InferRequestedOutput(one, binary_data=False) for one in call["all_outputs"]]
    parameters = dict(call["parameters"])
    parameters.pop("binary_data_output", None)  # It sets this one itself.
    options = {name: parameters.pop(name) for name in ("priority", "timeout") if name in parameters}
    found = client_at(task["http"].removeprefix("http://")).infer(
        call["model"],
        inputs,
        model_version=call["version"],
        outputs=outputs or None,
        request_id=call["id"],
        request_compression_algorithm=call["compression"] or None,
        response_compression_algorithm=call["accepts"] or None,
        parameters=parameters or None,
        **options,
    )
    response = found.get_response()
    return {
        "model": response["model_name"],
        "version": response["model_version"],
        "id": response["id"],
        "outputs": [
            output_of(one["name"], one["datatype"], found.as_numpy(one["name"]))
            for one in response["outputs"]
        ],
    }


def describe(task, model):
    """Return what the client tells about the server and a model."""
    client = client_at(task["http"].removeprefix("http://"))
    return {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model_ready": client.is_model_ready(model),
        "version_ready": client.is_model_ready(model, "1"),
        "unknown_ready": client.is_model_ready("unknown"),
        "server": client.get_server_metadata()["name"],
        "inputs": [one["name"] for one in client.get_model_metadata(model)["inputs"]],
        "versions": client.get_model_metadata(model)["versions"],
        "config": client.get_model_config(model)["name"],
        "statistics": client.get_inference_statistics(model)["model_stats"][0]["name"],
        "all_statistics": len(client.get_inference_statistics()["model_stats"]),
        "index": sorted({one["name"] for one in client.get_model_repository_index()}),
    }


run(infer, describe)
