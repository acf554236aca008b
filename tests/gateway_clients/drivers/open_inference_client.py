"""The client of the Open Inference Protocol that is generated from its OpenAPI document: JSON."""

import math
from functools import cache

from driver import run
from open_inference.openapi.client import OpenInferenceClient
from open_inference.openapi.types import InferenceRequest, RequestInput, RequestOutput, TensorData


@cache
def client_at(url):
    """Return the client, whose connections are kept between the calls."""
    return OpenInferenceClient(base_url=url)


def request_of(call):
    """Return the request of a call."""
    fields = {"inputs": [tensor_of(one) for one in call["inputs"]]}
    if call["id"]:
        fields["id"] = call["id"]
    if call["parameters"]:
        fields["parameters"] = call["parameters"]
    if call["outputs"]:
        fields["outputs"] = [output_of(one) for one in call["outputs"]]
    return InferenceRequest(**fields)


def tensor_of(tensor):
    """Return an input."""
    # Its types would make every number a float, but keep those that are not parsed.
    data = TensorData.construct(__root__=tensor["data"])
    fields = {"name": tensor["name"], "shape": tensor["shape"], "datatype": tensor["datatype"]}
    return RequestInput.construct(_fields_set={*fields, "data"}, **fields, data=data)


def output_of(one):
    """Return an output that the call names."""
    parameters = {"classification": one["classes"]} if one["classes"] else {}
    return RequestOutput(name=one["name"], parameters=parameters)


def infer(task, call):
    """Make a call."""
    client, request = client_at(task["http"]), request_of(call)
    if call["version"]:
        found = client.model_version_infer(call["model"], call["version"], request=request)
    else:
        found = client.model_infer(call["model"], request=request)
    return {
        "model": found.model_name,
        "version": found.model_version,
        "id": found.id,
        "outputs": [
            {
                "name": one.name,
                "datatype": one.datatype,
                "shape": one.shape,
                "data": flat(one.data.__root__, one.shape),
            }
            for one in found.outputs
        ],
    }


def flat(values, shape):
    """Return the values of an output, which are flat."""
    if len(values) != math.prod(shape):
        raise ValueError(f"{len(values)} values do not have the shape {shape}")
    return values


def describe(task, model):
    """Return what the client tells about the server and a model."""
    client = client_at(task["http"])
    client.check_server_liveness()
    client.check_server_readiness()
    client.check_model_readiness(model)
    client.check_model_version_readiness(model, "1")
    metadata = client.read_model_metadata(model)
    client.read_model_version_metadata(model, "1")
    return {
        "live": True,
        "ready": True,
        "model_ready": True,
        "server": client.read_server_metadata().name,
        "inputs": [one.name for one in metadata.inputs],
        "versions": metadata.versions,
    }


run(infer, describe)
