"""What callers get: the outputs they name, as they want them, under their own id."""

import json

import pytest

from modstream.broker.wire.tensor_binary import decode_strings, decode_values
from modstream.producers.gateway.protocol import grpc_codec, rest_codec
from modstream.producers.gateway.protocol.errors import ProtocolError
from modstream.producers.gateway.protocol.infer_call import InferCall, RequestedOutput
from modstream.producers.gateway.protocol.stubs.inference_pb2 import (
    InferParameter,
    ModelInferRequest,
)
from tests.producers.gateway.protocol.call_samples import (
    CLASSES,
    LABELS,
    document,
    output,
    prediction,
    raw_tensor,
    worker_reads,
)

NAN = float("nan")
BOTH = prediction(CLASSES, LABELS)


def http(value=BOTH, **fields):
    """Return the parsed JSON of an answer, and the raw bytes behind it."""
    call = rest_codec.read_infer(document(**fields), None)
    body, length = rest_codec.write_infer(call, "my-id", value)
    end = len(body) if length is None else length
    return json.loads(body[:end]), None if length is None else body[end:]


def asked(name, **parameters):
    return [{"name": name, "parameters": parameters}]


def test_answer_names_model_version_ids_and_outputs():
    found, raw = http(id="42")

    assert raw is None
    assert found == {
        "model_name": "iris",
        "model_version": "3",
        "id": "42",
        "parameters": {"request_id": "my-id"},
        "outputs": [
            {
                "name": "probabilities",
                "shape": [2, 3],
                "datatype": "FP64",
                "parameters": {"columns": '["a",2,true]'},
                "data": [0.1, 0.7, 0.2, 0.5, 0.25, 0.25],
            },
            {"name": "label", "shape": [2], "datatype": "BYTES", "data": ["2", "a"]},
        ],
    }


@pytest.mark.parametrize("client_id", [None, ""])
def test_without_an_id_the_caller_gets_that_of_the_request(client_id):
    assert http(id=client_id)[0]["id"] == "my-id"


def test_only_named_outputs_are_answered_in_their_order():
    found, _ = http(outputs=[{"name": "label"}, {"name": "probabilities"}])
    assert [one["name"] for one in found["outputs"]] == ["label", "probabilities"]

    found, _ = http(outputs=[{"name": "label"}])
    assert [one["name"] for one in found["outputs"]] == ["label"]


def test_no_outputs_named_means_all():
    assert len(http(outputs=[])[0]["outputs"]) == 2


def test_an_unknown_output_is_refused_with_the_names_of_the_others():
    with pytest.raises(
        ProtocolError, match=r"no output 'y'; the outputs are 'prob.*', 'label'"
    ) as one:
        http(outputs=[{"name": "y"}])
    assert one.value.status == 400


def test_one_output_is_raw_and_the_other_is_not():
    found, raw = http(outputs=[*asked("probabilities", binary_data=True), {"name": "label"}])

    numbers, labels = found["outputs"]
    assert "data" not in numbers
    assert numbers["parameters"]["binary_data_size"] == len(raw) == 48
    assert decode_values("FP64", raw) == CLASSES.data
    assert labels["data"] == ["2", "a"]


def test_an_output_may_be_json_although_the_call_wants_raw_bytes():
    outputs = [*asked("probabilities", binary_data=False), {"name": "label"}]

    found, raw = http(outputs=outputs, parameters={"binary_data_output": True})

    assert found["outputs"][0]["data"] == CLASSES.data
    assert decode_strings(raw) == ["2", "a"]


def test_classification_answers_the_largest_values_with_index_and_name():
    found, _ = http(outputs=asked("probabilities", classification=2))

    (classes,) = found["outputs"]
    assert classes["data"] == ["0.7:1:2", "0.2:2:True", "0.5:0:a", "0.25:1:2"]
    assert (classes["shape"], classes["datatype"]) == ([2, 2], "BYTES")
    assert "parameters" not in classes


def test_classification_can_be_raw_as_well():
    found, raw = http(outputs=asked("probabilities", classification=1, binary_data=True))

    assert decode_strings(raw) == ["0.7:1:2", "0.5:0:a"]
    assert found["outputs"][0]["parameters"] == {"binary_data_size": len(raw)}


@pytest.mark.parametrize(
    ("tensor", "count", "shape", "texts"),
    [
        (output(shape=(2,), data=[1.5, -2.5]), 5, [2, 1], ["1.5:0", "-2.5:0"]),
        (output(shape=(1, 3), data=[1, 3, 2], datatype="INT64"), 9, [1, 3], ["3:1", "2:2", "1:0"]),
        (output(shape=(1, 2, 2), data=[1.0, 4.0, 2.0, 3.0]), 2, [1, 2], ["4.0:1", "3.0:3"]),
        (output(shape=(0, 3), data=[]), 2, [0, 0], []),
        (output(shape=(1, 3), data=[NAN, 0.5, 0.5]), 3, [1, 3], ["0.5:1", "0.5:2", "nan:0"]),
    ],
    ids=["one per row", "integers", "three dimensions", "no rows", "NaN comes last"],
)
def test_classification_of_outputs_without_names(tensor, count, shape, texts):
    found, _ = http(prediction(tensor), outputs=asked("value", classification=count))

    assert found["outputs"][0]["shape"] == shape
    assert found["outputs"][0]["data"] == texts


def test_texts_cannot_be_classified():
    with pytest.raises(ProtocolError, match="'label' has the datatype BYTES, and only numbers"):
        http(outputs=asked("label", classification=1))


def test_nan_is_refused_in_json_and_sent_in_raw_bytes():
    forecast = prediction(output("forecast", (2, 2), data=[1.5, 2.5, 3.5, NAN]))

    with pytest.raises(ProtocolError, match=r"'forecast' contains NaN.* ask for it with bin"):
        http(forecast)
    _, raw = http(forecast, parameters={"binary_data_output": True})
    numbers = decode_values("FP64", raw)
    assert (numbers[:3], str(numbers[3])) == ([1.5, 2.5, 3.5], "nan")
    found = grpc_codec.write_infer(InferCall(None, b"[]"), "my-id", forecast)
    assert str(found.outputs[0].contents.fp64_contents[3]) == "nan"


@pytest.mark.parametrize("value", [b"", b"{}", b'{"outputs": {"value": 1}}', b"[[[", b"\xff"])
def test_a_prediction_without_tensors_is_the_fault_of_the_server(value):
    for write in (rest_codec.write_infer, grpc_codec.write_infer):
        with pytest.raises(ProtocolError, match="does not consist of tensors") as caught:
            write(InferCall(None, b"[]"), "my-id", value)
        assert (caught.value.status, caught.value.grpc_code) == (500, "INTERNAL")


@pytest.mark.parametrize("asked_raw", [True, False])
def test_an_output_with_values_of_another_datatype_is_the_fault_of_the_server(asked_raw):
    broken = prediction(output(datatype="INT8", data=[500] if asked_raw else ["a"]))

    with pytest.raises(ProtocolError, match="'value' cannot be encoded") as caught:
        grpc_codec.write_infer(InferCall(None, b"[]", binary_outputs=asked_raw), "my-id", broken)
    assert caught.value.status == 500


def grpc_answer(*outputs, client_id=""):
    request = ModelInferRequest(id=client_id, outputs=outputs)
    request.inputs.add(name="x", datatype="FP32", shape=[1]).contents.fp32_contents.append(1.5)
    return grpc_codec.write_infer(grpc_codec.read_infer(request), "my-id", BOTH)


def test_grpc_answer_names_model_version_ids_and_columns():
    found = grpc_answer(client_id="42")

    assert (found.model_name, found.model_version, found.id) == ("iris", "3", "42")
    assert found.parameters["request_id"].string_param == "my-id"
    assert found.outputs[0].parameters["columns"].string_param == '["a",2,true]'
    assert list(found.outputs[1].contents.bytes_contents) == [b"2", b"a"]
    assert grpc_answer().id == "my-id"


def test_grpc_answers_named_outputs_and_classes():
    asked_output = ModelInferRequest.InferRequestedOutputTensor(
        name="probabilities", parameters={"classification": InferParameter(int64_param=1)}
    )

    (found,) = grpc_answer(asked_output).outputs

    assert list(found.contents.bytes_contents) == [b"0.7:1:2", b"0.5:0:a"]
    with pytest.raises(ProtocolError, match="there is no output 'y'"):
        grpc_answer(ModelInferRequest.InferRequestedOutputTensor(name="y"))


def test_the_version_can_be_an_alias_and_the_model_the_stream_s():
    call = rest_codec.read_infer(document(), None)

    assert worker_reads(call.encode("r", "iris", "candidate")).version == "candidate"
    assert worker_reads(call.encode("r", None, None)).model is None
    assert worker_reads(call.encode('"\n\u00e4', "iris", 1)).id == '"\n\u00e4'


def test_raw_tensors_without_values_keep_the_length_of_the_json():
    body = document(raw_tensor(0, shape=[0, 2]))

    encoded = rest_codec.read_infer(body, str(len(body))).encode("r", "iris", 1)

    assert encoded.json_length == len(encoded.value)
    assert worker_reads(encoded).inputs[0].data == []


def test_parameters_of_the_call_are_read():
    parameters = {
        "timeout": 1_500_000,
        "key": "plane-7",
        "event_time": 1_700_000_000_000,
        "binary_data_output": True,
        "priority": 3,
        "sequence_id": 0,
        "anything": {"else": [1]},
    }

    call = rest_codec.read_infer(document(parameters=parameters), None)

    assert (call.timeout_seconds, call.key, call.event_time) == (1.5, "plane-7", 1_700_000_000_000)
    assert call.binary_outputs
    assert rest_codec.read_infer(document(parameters={"timeout": 0}), None).timeout_seconds is None


def test_outputs_of_the_call_are_read():
    outputs = [{"name": "a"}, *asked("b", binary_data=True, classification=3)]

    call = rest_codec.read_infer(document(outputs=outputs), None)

    assert call.outputs == (RequestedOutput("a"), RequestedOutput("b", binary=True, classes=3))
