"""Calls and predictions for the tests of the protocol, and what a worker reads of a call."""

import json

from modstream.broker.wire.codec import decode_request, encode
from modstream.broker.wire.contracts import ColumnNames, OutputTensor, Prediction, SourcePosition
from modstream.broker.wire.contracts import Tensor as ContractTensor
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header

SOURCE = SourcePosition(topic="s.requests", partition=0, offset=7)


def tensor(**changes):
    """A valid input; a change to None leaves a field out."""
    fields = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1.5, 2.5]} | changes
    return {name: value for name, value in fields.items() if value is not None}


def raw_tensor(size=8, **changes):
    return tensor(data=None, parameters={"binary_data_size": size}, **changes)


def document(*inputs, **fields):
    """The JSON of a call, of one valid input unless others are given."""
    return json.dumps({"inputs": list(inputs or [tensor()]), **fields}).encode()


def worker_reads(encoded):
    """Return the request that a worker decodes."""
    length = encoded.json_length
    headers = () if length is None else ((str(Header.JSON_LENGTH), str(length).encode()),)
    return decode_request(make_record(encoded.value, headers))


def make_record(value, headers=()):
    return Record("s.requests", 0, 7, None, value, headers)


def prediction(*outputs):
    """The value of a prediction's record; the given outputs are tensors of the contract."""
    message = Prediction(id="r", model="iris", version=3, outputs=outputs, source=SOURCE)
    return encode(message)


def output(name="value", shape=(1,), datatype="FP64", data=(1.5,), columns=None):
    fields = {"name": name, "shape": shape, "datatype": datatype, "data": list(data)}
    if columns is None:
        return ContractTensor(**fields)
    return OutputTensor(**fields, parameters=ColumnNames(columns=columns))


CLASSES = output(
    "probabilities", (2, 3), data=[0.1, 0.7, 0.2, 0.5, 0.25, 0.25], columns=("a", 2, True)
)
LABELS = output("label", (2,), "BYTES", ["2", "a"])
