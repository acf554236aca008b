"""KServe's clients: REST with JSON or raw tensors, and gRPC with typed values or raw tensors."""

import asyncio
import logging
from functools import cache

from arrays import array_of, output_of
from driver import run
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

logging.disable(logging.ERROR)  # It logs every error that it raises.
loop = asyncio.new_event_loop()


@cache
def rest_client():
    """Return the REST client, whose connections are kept between the calls."""
    return InferenceRESTClient(RESTConfig(protocol="v2"))


@cache
def grpc_client(address):
    """Return the gRPC client, made within the loop."""

    async def make():
        return InferenceGRPCClient(address, retries=0)

    return loop.run_until_complete(make())


def tensor_of(tensor, form):
    """Return an input."""
    datatype, shape = tensor["datatype"], tensor["shape"]
    if form == "contents":
        values = tensor["data"]
        if datatype == "BYTES":
            values = [value.encode() for value in values]
        return InferInput(tensor["name"], shape, datatype, data=values)
    one = InferInput(tensor["name"], shape, datatype)
    one.set_data_from_numpy(array_of(tensor), binary_data=form != "json")
    return one


def infer(task, call):
    """Make a call."""
    form = task["form"]
    outputs = []
    for one in call["outputs"]:
        parameters = {} if one["binary"] is None else {"binary_data": one["binary"]}
        if one["classes"]:
            parameters["classification"] = one["classes"]
        outputs.append(RequestedOutput(one["name"], parameters or None))
    parameters = dict(call["parameters"])
    if form == "binary":
        parameters["binary_data_output"] = True
    request = InferRequest(
        call["model"],
        [tensor_of(one, form) for one in call["inputs"]],
        request_id=call["id"] or None,
        parameters=parameters or None,
        request_outputs=outputs or None,
        model_version=call["version"] or None,
    )
    if form in {"json", "binary"}:
        # It knows no versions, but takes the path of one for a model's name.
        path = call["model"] + (f"/versions/{call['version']}" if call["version"] else "")
        headers = {"accept-encoding": call["accepts"]} if call["accepts"] else None
        answer = rest_client().infer(task["http"], request, model_name=path, headers=headers)
    else:
        answer = grpc_client(task["grpc"]).infer(request)
    found = loop.run_until_complete(answer)
    return {
        "model": found.model_name,
        "version": found.model_version,
        "id": found.id,
        "outputs": [output_of(one.name, one.datatype, one.as_numpy()) for one in found.outputs],
    }


def describe(task, model):
    """Return what the client tells about the server and a model."""
    if task["form"] in {"json", "binary"}:
        client, url = rest_client(), task["http"]
        asked = (
            client.is_server_live(url),
            client.is_server_ready(url),
            client.is_model_ready(url, model),
            client.is_model_ready(url, "unknown"),
        )
    else:
        client = grpc_client(task["grpc"])
        asked = (
            client.is_server_live(),
            client.is_server_ready(),
            client.is_model_ready(model),
            client.is_model_ready("unknown"),
        )
    names = ("live", "ready", "model_ready", "unknown_ready")
    return {name: loop.run_until_complete(one) for name, one in zip(names, asked, strict=True)}


run(infer, describe)
