"""Calls and answers as HTTP bodies: JSON, with raw tensors behind it if the caller wants."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from modstream.broker.wire.fast_codec import ABSENT
from modstream.broker.wire.tensor_binary import MAX_LENGTH_DIGITS
from modstream.producers.gateway.protocol.answers import OutputTensor, read_answer, select
from modstream.producers.gateway.protocol.call_parameters import (
    read_id,
    read_output,
    read_parameters,
    refuse_repeated_names,
    refuse_shared_memory,
    shown,
)
from modstream.producers.gateway.protocol.errors import ProtocolError
from modstream.producers.gateway.protocol.infer_call import InferCall, RequestedOutput
from modstream.producers.gateway.protocol.json_reading import (
    check_bounds,
    check_utf8,
    parse,
)
from modstream.producers.gateway.protocol.tensor_heads import (
    check_number_of_inputs,
    check_raw_size,
    count_values,
)

LENGTH_HEADER = "Inference-Header-Content-Length"
"""The HTTP header with the length of the JSON, in requests and in answers with raw tensors."""
MAX_RAW_BYTES = 2**63 - 1
_OPENING_BRACKET = ord("[")


class HttpInferResponse(NamedTuple):
    """The body of an answer, and the length of its JSON if raw tensors follow it."""

    body: bytes
    json_length: int | None


class _Output(Struct, frozen=True):
    """An output that a call names."""

    name: str
    parameters: dict[str, Any] | None = None


class _Head(Struct, frozen=True):
    """A call whose inputs are still JSON."""

    inputs: Raw = ABSENT
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[_Output] | None = None


class _Input(Struct, frozen=True):
    """An input whose values are still JSON."""

    name: str
    shape: list[int]
    datatype: str
    data: Raw = ABSENT
    parameters: dict[str, Any] | None = None


_decode_head = msgspec.json.Decoder(_Head).decode
_decode_inputs = msgspec.json.Decoder(list[_Input]).decode
_to_json = msgspec.json.Encoder().encode


def read_infer(body: bytes, header_length: str | None) -> InferCall:
    """Read the body of a call.

    Args:
        body: the body, not compressed.
        header_length: the value of the HTTP header with the length of the JSON, None if absent.

    Raises:
        ProtocolError: the call is not as the protocol says.
    """
    document, tail = (body, None) if header_length is None else _split(body, header_length)
    check_utf8(document)
    head = parse(_decode_head, document, "")
    if head.inputs is ABSENT:
        raise ProtocolError(400, "inputs: is missing; a call has a list of tensors")
    inputs = parse(_decode_inputs, head.inputs, "inputs")
    check_bounds(document)
    parameters = read_parameters(head.parameters)
    return InferCall(
        read_id(head.id),
        head.inputs,
        _check_inputs(inputs, tail),
        _read_outputs(head.outputs) if head.outputs else (),
        *parameters,
    )


def _split(body: bytes, header_length: str) -> tuple[bytes, memoryview]:
    """Return the JSON and the raw bytes behind it."""
    digits = header_length.strip()
    if not (digits.isascii() and digits.isdigit()) or len(digits) > MAX_LENGTH_DIGITS:
        raise ProtocolError(400, f"{LENGTH_HEADER}: {shown(header_length)} is not a length")
    length = int(digits)
    if length > len(body):
        raise ProtocolError(
            400, f"{LENGTH_HEADER}: is {length}, but the body has only {len(body)} bytes"
        )
    if not length:
        raise ProtocolError(
            400,
            f"{LENGTH_HEADER}: is 0, but a body without JSON is not supported; send the JSON of "
            "the call before the raw bytes, and its length",
        )
    return body[:length], memoryview(body)[length:]


def _check_inputs(
    inputs: Sequence[_Input], tail: memoryview | None
) -> tuple[bytes | memoryview, ...] | None:
    """Return the raw bytes behind the JSON, None if no tensor has any."""
    check_number_of_inputs(len(inputs))
    if len(inputs) > 1:
        refuse_repeated_names("inputs", (one.name for one in inputs))
    left, is_raw = len(tail or b""), False
    for at, one in enumerate(inputs):
        size = _raw_size(f"inputs[{at}]", one, tail is not None)
        if size is not None:
            is_raw = True
            if size > left:
                raise ProtocolError(
                    400,
                    f"inputs[{at}].parameters.binary_data_size: is {size}, but only {left} bytes "
                    "are left behind the JSON",
                )
            left -= size
    if left:
        raise ProtocolError(400, f"the body: {left} bytes behind the JSON belong to no input")
    return (tail,) if is_raw and tail is not None else None


def _raw_size(place: str, one: _Input, follows: bool) -> int | None:  # noqa: FBT001 - one call
    """Return the number of raw bytes of an input, None if its values are JSON.

    `follows` says whether the header with the length of the JSON was sent.
    """
    count = count_values(place, one.name, one.datatype, one.shape)
    size = None
    if one.parameters:
        refuse_shared_memory(f"{place}.parameters", one.parameters)
        size = one.parameters.get("binary_data_size")
    if size is None:
        _check_data(place, one)
        return None
    if type(size) is not int or not 0 <= size <= MAX_RAW_BYTES:
        raise ProtocolError(400, f"{place}.parameters.binary_data_size: must be a number of bytes")
    if _has_data(one):
        raise ProtocolError(400, f"{place}: has both data and binary_data_size; send one of them")
    if not follows:
        raise ProtocolError(
            400, f"{place}: has binary_data_size, but the header {LENGTH_HEADER} is missing"
        )
    check_raw_size(place, one.datatype, count, size)
    return size


def _has_data(one: _Input) -> bool:
    """Return whether an input has values in JSON; some clients write null for none."""
    return one.data is not ABSENT and bytes(memoryview(one.data)[:4]) != b"null"


def _check_data(place: str, one: _Input) -> None:
    if one.data is ABSENT:
        raise ProtocolError(400, f"{place}: has neither data nor parameters.binary_data_size")
    if memoryview(one.data)[0] != _OPENING_BRACKET:
        raise ProtocolError(400, f"{place}.data: must be a list")


def _read_outputs(outputs: Sequence[_Output]) -> tuple[RequestedOutput, ...]:
    refuse_repeated_names("outputs", (one.name for one in outputs))
    return tuple(
        read_output(f"outputs[{at}]", one.name, one.parameters) for at, one in enumerate(outputs)
    )


def write_infer(call: InferCall, request_id: str, prediction: bytes) -> HttpInferResponse:
    """Return the body of an answer.

    Args:
        call: the call that is answered.
        request_id: the id of the request's record.
        prediction: the value of the prediction's record.

    Raises:
        ProtocolError: the call names an output that the model does not have, or an output cannot be
            written as the call asks.
    """
    answer = read_answer(prediction)
    written, raw = [], []
    for asked, tensor in select(call.outputs, answer.outputs):
        binary = call.binary_outputs if asked is None or asked.binary is None else asked.binary
        if binary:
            raw.append(tensor.to_bytes())
        written.append(_output_json(tensor, len(raw[-1]) if binary else None))
    document = b'{"model_name":%b,"model_version":"%d","id":%b,%b:{"request_id":%b},"outputs":[%b]}'
    document %= (
        _to_json(answer.model),
        answer.version,
        _to_json(call.client_id or request_id),
        b'"parameters"',
        _to_json(request_id),
        b",".join(written),
    )
    if not raw:
        return HttpInferResponse(document, None)
    return HttpInferResponse(b"".join((document, *raw)), len(document))


def _output_json(tensor: OutputTensor, raw_size: int | None) -> bytes:
    """Return an output as JSON, with its values unless they are raw bytes."""
    parameters: dict[str, str | int] = {}
    if tensor.columns is not None:
        parameters["columns"] = tensor.columns
    if raw_size is not None:
        parameters["binary_data_size"] = raw_size
    parts: list[bytes | Raw] = [b'{"name":', _to_json(tensor.name)]
    parts += (b',"shape":', _to_json(tensor.shape), b',"datatype":', _to_json(tensor.datatype))
    if parameters:
        parts += (b',"parameters":', _to_json(parameters))
    if raw_size is None:
        parts += (b',"data":', tensor.to_json())
    parts.append(b"}")
    return b"".join(parts)
