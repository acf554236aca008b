"""Damaged bodies raise nothing but ProtocolError, and a worker can answer all that are accepted."""

from random import Random

import pytest
from google.protobuf.message import DecodeError as ProtobufError

from modstream.broker.errors import ContractViolated
from modstream.producers.gateway.protocol import grpc_codec, rest_codec
from modstream.producers.gateway.protocol.errors import ProtocolError
from modstream.producers.gateway.protocol.stubs.inference_pb2 import ModelInferRequest
from tests.producers.gateway.protocol.call_samples import (
    CLASSES,
    document,
    prediction,
    raw_tensor,
    tensor,
    worker_reads,
)

TIMES = 10_000
WORDS = (
    *(
        b"NaN",
        b"null",
        b"[",
        b"]",
        b"{",
        b"}",
        b'"',
        b"\\",
        b"\\ud800",
        b"\xff",
        b"\0",
        b"-",
        b"1e9",
    ),
    *(b"[" * 70, b"[" * 300 + b"]" * 300, b"9" * 4400, b"1e999", b'"a":', b",", b"\xef\xbb\xbf"),
    *(b'"binary_data_size": 8', b"4294967296", b"-1", b"true", b'"BYTES"', b'"FP16"', b"[[1], 2]"),
)
PLAIN = document(
    tensor(),
    tensor(name="y", shape=[2, 2], data=[[1, 2], [3, 4]]),
    tensor(name="z", datatype="BYTES", data=["\u00e4", ""]),
    id="1",
    parameters={"timeout": 5, "key": "k", "event_time": 7},
    outputs=[{"name": "probabilities", "parameters": {"classification": 2}}],
)
RAW = document(raw_tensor(), raw_tensor(10, name="y", datatype="BYTES"), tensor(name="z"))
RAW_BODY = RAW + b"\0\0\xc0\x3f\0\0\0\xc0" + b"\1\0\0\0a\1\0\0\0b"
ANSWER = prediction(CLASSES)


def mutated(body, random):
    """Return a body with one to three faults."""
    found = bytearray(body)
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(found) + 1)
        end = min(len(found), at + random.choice([1, 1, 2, 8, 40]))
        found[at:end] = random.choice(
            [
                b"",
                bytes([random.randrange(256)]),
                random.choice(WORDS),
                found[at:end] * 2,
                found[at:end][::-1],
                body[random.randrange(len(body)) :][: random.randrange(60)],
            ]
        )
    return bytes(found[: random.randrange(len(found) + 1)] if random.random() < 0.1 else found)


def check_accepted(call, write):
    """A worker can read the request or answer its faults, and the answer can be written."""
    encoded = call.encode("my-id", "iris", 3)
    try:
        assert worker_reads(encoded).id == "my-id"
    except ContractViolated as error:
        assert error.request_id == "my-id"
    try:
        write(call, "my-id", ANSWER)
    except ProtocolError as error:
        assert error.status == 400


@pytest.mark.parametrize(("body", "length"), [(PLAIN, None), (RAW_BODY, len(RAW))])
def test_damaged_bodies_are_refused_or_reach_a_worker_that_can_answer(body, length):
    random, accepted = Random(length), 0
    for _ in range(TIMES // 2):
        one = mutated(body, random)
        shift = len(one) - len(body)
        lengths = [length, length + shift, random.randrange(1, len(body))] if length else [None]
        header = random.choice(lengths)
        try:
            call = rest_codec.read_infer(one, None if header is None else str(header))
        except ProtocolError as error:
            assert error.status == 400
            assert error.message.isprintable()
            continue
        accepted += 1
        check_accepted(call, rest_codec.write_infer)

    assert 50 < accepted < TIMES // 2 - 50


def grpc_body(*, raw):
    request = ModelInferRequest(model_name="iris", id="1")
    request.parameters["timeout"].int64_param = 5
    request.outputs.add(name="probabilities").parameters["classification"].int64_param = 2
    first = request.inputs.add(name="x", datatype="FP32", shape=[1, 2])
    second = request.inputs.add(name="y", datatype="BYTES", shape=[2])
    if raw:
        request.raw_input_contents.extend([b"\0\0\xc0\x3f\0\0\0\xc0", b"\1\0\0\0a\1\0\0\0b"])
    else:
        first.contents.fp32_contents.extend([1.5, -2.0])
        second.contents.bytes_contents.extend([b"a", b"b"])
    return request.SerializeToString()


@pytest.mark.parametrize("raw", [True, False])
def test_damaged_grpc_messages_are_refused_or_reach_a_worker_that_can_answer(raw):
    body, random, accepted, refused = grpc_body(raw=raw), Random(int(raw)), 0, 0
    for _ in range(TIMES // 2):
        try:
            call = grpc_codec.read_infer(ModelInferRequest.FromString(mutated(body, random)))
        except ProtobufError:
            continue  # gRPC itself answers these
        except ProtocolError as error:
            assert error.status == 400
            assert error.message.isprintable()
            refused += 1
            continue
        accepted += 1
        check_accepted(call, grpc_codec.write_infer)

    assert min(accepted, refused) > 50
