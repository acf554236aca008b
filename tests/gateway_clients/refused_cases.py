"""Calls that every client makes and that are refused, each with a part of the error's text."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tests.gateway_clients.cases import AskedOutput, ClientCase, InputTensor, matrix, measures
from tests.gateway_clients.clients import Client

ERRORS = {
    "tritonclient": ("InferenceServerException",),
    "kserve": ("HTTPStatusError", "AioRpcError"),
    "open-inference": ("BadRequestError", "ApiError"),
}
"""The errors that each client raises for an answer that refuses a call."""


class RefusedCase(NamedTuple):
    """A call, and a part of the text of its error."""

    case: ClientCase
    text: str


def refused_cases() -> list[RefusedCase]:
    """Return all calls."""
    return list(_refused())


def _refused() -> Iterator[RefusedCase]:
    three = matrix(measures(1)[:, :3])
    pixels = np.zeros((1, 3), np.float32)
    words = np.array([["a", "b", "c"]], object)
    length = InputTensor("length", "FP64", np.array([1.5]))

    def refused(name: str, text: str, inputs, model="width", **fields) -> RefusedCase:
        return RefusedCase(ClientCase(name, model, inputs, {}, **fields), text)

    yield refused("an unknown model", "model nobody has no version", three, "nobody")
    yield refused("an unknown version", "alias 99", three, version="99")
    yield refused("an unknown alias", "alias nothing", three, version="nothing")
    yield refused("too few columns", "shape [n, 3]", matrix(measures(1)[:, :1]))
    yield refused("a feature that is missing", "'width' is missing", [length], "learned")
    yield refused("texts for numbers", "must be float, not BYTES", matrix(words, "BYTES"))
    yield refused("another rank", "[any, any, 2]", matrix(pixels, "FP32"), "same-fp32")
    yield refused("an output that does not exist", "there is no output 'nothing'", three,
                  outputs=[AskedOutput("nothing")])  # fmt: skip
    yield refused("an empty key", "parameters.key", three, parameters={"key": ""})
    yield refused("an event time that cannot be", "parameters.event_time", three,
                  parameters={"event_time": 10**18})  # fmt: skip
    yield refused("an id that is too long", "at most 256 characters", three, id="x" * 257)
    yield refused("a microsecond to answer", "no answer within", three, parameters={"timeout": 1})


def problem_of(client: Client, refused: RefusedCase, error: str | None) -> str:
    """Return what is wrong with a client's error, or an empty text."""
    if error is None:
        return f"{client.name}: {refused.case.name}: was answered"
    if error.partition(":")[0] not in ERRORS[client.environment]:
        return f"{client.name}: {refused.case.name}: raises {error}"
    if refused.text not in error:
        return f"{client.name}: {refused.case.name}: {refused.text!r} is not in {error}"
    return ""
