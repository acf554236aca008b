"""The bytes of the benchmark's requests."""

import json
import random
import struct

import pytest

from bench import payloads
from bench.payloads import ID_PLACEHOLDER, request_id
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Request

NAMES = [f"x{i}" for i in range(8)]


def drawn(maker, seed=1):
    return maker(random.Random(seed))


def sent(payload):
    """Return a payload's value as it is sent."""
    return payload.with_id(request_id(7))


@pytest.mark.parametrize(
    "maker",
    [
        payloads.row(NAMES),
        payloads.tensor(8),
        payloads.padded(payloads.row(NAMES), 1024),
        payloads.table_rows([{"carrier": "UA", "hour": 7.0}]),
    ],
)
def test_a_request_in_json_follows_the_contract(maker):
    assert decode(Request, sent(drawn(maker))).id == "000000000007"


def test_an_id_is_as_long_as_its_placeholder_so_no_length_changes():
    payload = drawn(payloads.binary_tensor(8))

    assert len(request_id(10**11)) == len(ID_PLACEHOLDER)
    assert len(sent(payload)) == len(payload.value)


def test_a_header_gives_the_length_of_the_json_before_the_binary_tensor():
    payload = drawn(payloads.binary_tensor(3))
    length = int(dict(payload.headers)["inference-header-content-length"])
    head, data = sent(payload)[:length], sent(payload)[length:]

    tensor = json.loads(head)["inputs"][0]
    assert tensor["shape"] == [1, 3]
    assert tensor["parameters"]["binary_data_size"] == len(data) == 12
    assert all(0 <= number < 1 for number in struct.unpack("<3f", data))


def test_the_same_seed_draws_the_same_payload_and_another_seed_a_different_one():
    maker = payloads.row(NAMES)

    assert drawn(maker, 1) == drawn(maker, 1)
    assert drawn(maker, 1) != drawn(maker, 2)


@pytest.mark.parametrize("size", [1024, 65_536])
def test_padding_extends_a_request_to_the_given_size(size):
    assert len(sent(drawn(payloads.padded(payloads.row(NAMES), size)))) == size


def test_a_request_names_one_of_several_models():
    maker = payloads.to_random_model(payloads.row(NAMES), ["m0", "m1"])

    assert {json.loads(sent(drawn(maker, seed)))["model"] for seed in range(20)} == {"m0", "m1"}
