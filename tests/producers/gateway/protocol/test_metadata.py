"""What the server and its models are is the same in JSON and in gRPC."""

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from modstream.producers.gateway.protocol import grpc_metadata, metadata
from modstream.producers.gateway.protocol.errors import GRPC_CODES, ProtocolError
from modstream.producers.gateway.protocol.metadata import (
    Duration,
    ModelDescription,
    ModelState,
    ModelStatistics,
    TensorDescription,
    read_index_request,
)
from modstream.producers.gateway.protocol.stubs.inference_pb2 import DataType

MODEL = ModelDescription(
    "iris",
    ("1", "3"),
    "onnx_onnxv1",
    (TensorDescription("x", "FP32", (-1, 4)), TensorDescription("city", "BYTES", (-1,))),
    (TensorDescription("probabilities", "FP64", (-1, 3)),),
    {"task": "multiclass"},
)
STATISTICS = ModelStatistics(
    "iris", "3", 1_700_000_000_000, 12, 10, success=Duration(9, 900), fail=Duration(1, 5)
)
STATES = [
    ModelState("iris", "3", "READY"),
    ModelState("wine", "1", "UNAVAILABLE", "its artifact is damaged"),
]


def as_json(message):
    return MessageToDict(message, preserving_proto_field_name=True)


def plain(value):
    """Return a message with 64-bit integers, which its JSON has as texts, and without zeros."""
    if isinstance(value, dict):
        found = {name: plain(one) for name, one in value.items()}
        return {name: one for name, one in found.items() if one not in (0, [], {})}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return int(value) if isinstance(value, str) and value.lstrip("-").isdigit() else value


def test_server_metadata_are_equal():
    found = metadata.server_metadata("1.2.3")

    assert found == as_json(grpc_metadata.server_metadata("1.2.3"))
    assert (found["name"], found["version"]) == ("modstream", "1.2.3")


def test_model_metadata_are_equal_but_for_the_properties():
    found = metadata.model_metadata(MODEL)

    assert found.pop("properties") == {"task": "multiclass"}
    assert plain(found) == plain(as_json(grpc_metadata.model_metadata(MODEL)))
    assert found["inputs"][0] == {"name": "x", "datatype": "FP32", "shape": [-1, 4]}
    assert found["versions"] == ["1", "3"]


def test_model_config_is_equal():
    found = metadata.model_config(MODEL)

    assert plain(found) == plain(as_json(grpc_metadata.model_config(MODEL).config))
    assert [one["data_type"] for one in found["input"]] == ["TYPE_FP32", "TYPE_STRING"]
    assert found["backend"] == "onnx"


@pytest.mark.parametrize("datatype", ["BF16", "FP16", "BOOL", "UINT64", "INT8", "BYTES"])
def test_every_datatype_has_a_name_in_the_configuration(datatype):
    assert metadata.triton_type(datatype) in DataType.DESCRIPTOR.values_by_name


def test_statistics_are_equal():
    found = metadata.statistics([STATISTICS])

    (model,) = found["model_stats"]
    assert model["inference_stats"]["success"] == {"count": 9, "ns": 900}
    assert model["inference_stats"]["queue"] == {"count": 0, "ns": 0}
    (written,) = grpc_metadata.statistics([STATISTICS]).model_stats
    assert plain(model) == plain(as_json(written))


@pytest.mark.parametrize(("ready_only", "count"), [(False, 2), (True, 1)])
def test_the_index_is_equal(ready_only, count):
    found = metadata.repository_index(STATES, ready_only=ready_only)
    message = grpc_metadata.repository_index(STATES, ready_only=ready_only)

    assert len(found) == count
    for one, other in zip(found, message.models, strict=True):
        assert one == {name: getattr(other, name) for name in one}


def test_requests_for_the_index_are_read():
    assert [read_index_request(one) for one in (None, {}, {"ready": True})] == [False, False, True]
    for wrong in ([], "ready", {"ready": "yes"}):
        with pytest.raises(ProtocolError, match="ready"):
            read_index_request(wrong)


def test_every_status_has_a_code_of_grpc():
    for status, name in GRPC_CODES.items():
        assert grpc.StatusCode[name]
        assert ProtocolError(status, "").grpc_code == name
    assert ProtocolError(418, "").grpc_code == "UNKNOWN"
