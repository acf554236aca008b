"""Calls and answers as gRPC messages.

The inputs of a call become raw bytes, if they are not raw already: JSON knows neither NaN nor
infinity, which the worker refuses by name, and raw bytes are decoded faster. An answer is encoded
as its call was: raw bytes for raw bytes, typed values for typed values.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from modstream.broker.wire.tensor_binary import encode_values
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
from modstream.producers.gateway.protocol.stubs.inference_pb2 import (
    InferParameter,
    InferTensorContents,
    ModelInferRequest,
    ModelInferResponse,
)
from modstream.producers.gateway.protocol.tensor_heads import (
    check_number_of_inputs,
    check_raw_size,
    count_values,
)

CONTENTS: Mapping[str, str] = MappingProxyType(
    {
        "BOOL": "bool_contents",
        "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
        "INT64": "int64_contents",
        "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
        "UINT64": "uint64_contents",
        "FP32": "fp32_contents", "FP64": "fp64_contents",
        "BYTES": "bytes_contents",
    }
)  # fmt: skip
"""The field that has the values of each datatype. FP16 and BF16 have none: they are always raw."""

_to_json = msgspec.json.Encoder().encode
_Input = ModelInferRequest.InferInputTensor
_Output = ModelInferResponse.InferOutputTensor


def read_infer(request: ModelInferRequest) -> InferCall:
    """Read a call.

    Raises:
        ProtocolError: the call is not as the protocol says.
    """
    parameters = read_parameters(_parameters(request.parameters))
    check_number_of_inputs(len(request.inputs))
    refuse_repeated_names("inputs", (one.name for one in request.inputs))
    given = request.raw_input_contents
    raw = _check_raw(request.inputs, given) if given else _encode(request.inputs)
    return InferCall(
        client_id=read_id(request.id),
        inputs=_heads(request.inputs, raw),
        raw=tuple(raw),
        outputs=_outputs(request),
        timeout_seconds=parameters.timeout_seconds,
        key=parameters.key,
        event_time=parameters.event_time,
        binary_outputs=bool(given),
    )


def _parameters(parameters: Mapping[str, InferParameter]) -> dict[str, object]:
    return {name: _value(value) for name, value in parameters.items()} if parameters else {}


def _value(parameter: InferParameter) -> object:
    choice = parameter.WhichOneof("parameter_choice")
    return None if choice is None else getattr(parameter, choice)


def _outputs(request: ModelInferRequest) -> tuple[RequestedOutput, ...]:
    refuse_repeated_names("outputs", (one.name for one in request.outputs))
    return tuple(
        read_output(f"outputs[{at}]", one.name, _parameters(one.parameters))
        for at, one in enumerate(request.outputs)
    )


def _check_raw(inputs: Sequence[_Input], given: Sequence[bytes]) -> Sequence[bytes]:
    """Return the raw bytes of all inputs as they came."""
    if len(given) != len(inputs):
        raise ProtocolError(
            400,
            f"raw_input_contents: has {len(given)} entries for {len(inputs)} inputs; send the raw "
            "bytes of all inputs or of none",
        )
    for at, (one, raw) in enumerate(zip(inputs, given, strict=True)):
        place = f"inputs[{at}]"
        count = _check_head(place, one)
        if one.contents.ListFields():
            raise ProtocolError(
                400, f"{place}: has contents beside raw_input_contents; send one of them"
            )
        check_raw_size(place, one.datatype, count, len(raw))
    return given


def _encode(inputs: Sequence[_Input]) -> list[bytes]:
    """Return the typed values of all inputs as raw bytes."""
    return [_encode_contents(f"inputs[{at}]", one) for at, one in enumerate(inputs)]


def _encode_contents(place: str, one: _Input) -> bytes:
    count = _check_head(place, one)
    field = CONTENTS.get(one.datatype)
    if field is None:
        raise ProtocolError(
            400,
            f"{place}: values of {one.datatype} have no field in contents; send them in "
            "raw_input_contents",
        )
    other = next((found.name for found, _ in one.contents.ListFields() if found.name != field), "")
    if other:
        raise ProtocolError(
            400, f"{place}.contents: has {other}, but values of {one.datatype} are in {field}"
        )
    values = getattr(one.contents, field)
    if len(values) != count:
        raise ProtocolError(
            400, f"{place}.contents: has {len(values)} values, but the shape means {count}"
        )
    try:
        return encode_values(one.datatype, values)
    except ValueError as error:
        raise ProtocolError(400, f"{place}.contents: {error}") from None


def _check_head(place: str, one: _Input) -> int:
    """Return the number of values of an input."""
    if one.parameters:
        refuse_shared_memory(f"{place}.parameters", one.parameters)
    return count_values(place, one.name, one.datatype, one.shape)


def _heads(inputs: Sequence[_Input], raw: Sequence[bytes]) -> bytes:
    """Return the JSON of the inputs, whose values are the raw bytes."""
    heads = [
        {
            "name": one.name,
            "shape": list(one.shape),
            "datatype": one.datatype,
            "parameters": {"binary_data_size": len(content)},
        }
        for one, content in zip(inputs, raw, strict=True)
    ]
    return _to_json(heads)


def write_infer(call: InferCall, request_id: str, prediction: bytes) -> ModelInferResponse:
    """Return the answer to a call.

    Args:
        call: the call that is answered.
        request_id: the id of the request's record.
        prediction: the value of the prediction's record.

    Raises:
        ProtocolError: the call names an output that the model does not have, or an output cannot be
            encoded.
    """
    answer = read_answer(prediction)
    tensors = [tensor for _, tensor in select(call.outputs, answer.outputs)]
    raw = call.binary_outputs or any(one.datatype not in CONTENTS for one in tensors)
    return ModelInferResponse(
        model_name=answer.model,
        model_version=str(answer.version),
        id=call.client_id or request_id,
        parameters={"request_id": InferParameter(string_param=request_id)},
        outputs=[_output(one, raw=raw) for one in tensors],
        raw_output_contents=[one.to_bytes() for one in tensors] if raw else [],
    )


def _output(tensor: OutputTensor, *, raw: bool) -> _Output:
    """Return an output, with its values unless they are raw bytes."""
    found = _Output(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
    if tensor.columns is not None:
        found.parameters["columns"].string_param = tensor.columns
    if not raw:
        found.contents.CopyFrom(_contents(tensor))
    return found


def _contents(tensor: OutputTensor) -> InferTensorContents:
    values: list[Any] = tensor.values()
    if tensor.datatype == "BYTES":
        values = [str(value).encode() for value in values]
    try:
        return InferTensorContents(**{CONTENTS[tensor.datatype]: values})
    except (TypeError, ValueError) as error:
        raise ProtocolError(
            500, f"the output {shown(tensor.name)} cannot be encoded: {error}"
        ) from None
