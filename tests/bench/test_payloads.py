"""The bytes of the benchmark's requests."""

import json
import random
import struct

import pytest

from bench import payloads
from bench.payloads import ID, request_id
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Request

NAMES = [f"x{i}" for i in range(8)]


def drawn(maker, seed=1):
    return maker(random.Random(seed))


def sent(payload):
    """A payload's value as it is sent."""
    return payload.with_id(request_id(7))


@pytest.mark.parametrize(
    "maker",
    [
        payloads.row(NAMES),
        payloads.tensor(8),
        payloads.padded(payloads.row(NAMES), 1024),
        payloads.rows_of([{"carrier": "UA", "hour": 7.0}]),
    ],
)
def test_a_request_in_json_follows_the_contract(maker):
    assert decode(Request, sent(drawn(maker))).id == "000000000007"


def test_an_id_is_as_long_as_its_place_so_that_no_length_changes():
    payload = drawn(payloads.binary_tensor(8))

    assert len(request_id(10**11)) == len(ID)
    assert len(sent(payload)) == len(payload.value)


def test_a_binary_tensor_lies_behind_as_many_bytes_of_json_as_the_header_says():
    payload = drawn(payloads.binary_tensor(3))
    length = int(dict(payload.headers)["inference-header-content-length"])
    head, data = sent(payload)[:length], sent(payload)[length:]

    described = json.loads(head)["inputs"][0]
    assert described["shape"] == [1, 3]
    assert described["parameters"]["binary_data_size"] == len(data) == 12
    assert all(0 <= number < 1 for number in struct.unpack("<3f", data))


def test_the_same_seed_draws_the_same_and_another_one_something_else():
    maker = payloads.row(NAMES)

    assert drawn(maker, 1) == drawn(maker, 1)
    assert drawn(maker, 1) != drawn(maker, 2)


@pytest.mark.parametrize("size", [1024, 65_536])
def test_padding_brings_a_request_to_its_size(size):
    assert len(sent(drawn(payloads.padded(payloads.row(NAMES), size)))) == size


def test_a_request_names_one_of_its_models():
    maker = payloads.to_model(payloads.row(NAMES), ["m0", "m1"])

    assert {json.loads(sent(drawn(maker, seed)))["model"] for seed in range(20)} == {"m0", "m1"}
