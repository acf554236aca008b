"""A row of features is decoded by name from each of its forms."""

import json
import struct
from base64 import b64encode

import pytest

from modstream.broker.errors import ContractViolated
from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Prediction


def prediction(features):
    source = {"topic": "s.requests", "partition": 0, "offset": 1}
    document = {"id": "r", "model": "m", "version": 1, "outputs": {}, "source": source}
    return decode(Prediction, json.dumps(document | {"features": features}).encode())


def base64(numbers):
    return b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


@pytest.mark.parametrize(
    "features",
    [
        {"a": 1.5, "names": -2},
        {"names": ["a", "names"], "data": [1.5, -2]},
        {"names": ["a", "names"], "fp32": base64([1.5, -2])},
    ],
    ids=["by name", "data", "fp32"],
)
def test_every_form_is_decoded_as_the_same_row(features):
    found = prediction(features)

    assert found.features == {"a": 1.5, "names": -2}
    assert decode(Prediction, encode(found)) == found


@pytest.mark.parametrize(
    "features",
    [
        {"names": ["a", "b"], "data": [1.5]},
        {"names": ["a", "b"], "fp32": base64([1.5])},
        {"names": ["a", "b"], "fp32": "?"},
        {"names": ["a", "b"]},
        {"names": ["a"], "data": ["x"]},
        {"names": [[]], "data": [1.5]},
        {"names": ["a"], "data": [1.5], "more": 1},
    ],
)
def test_an_invalid_compact_row_violates_the_contract(features):
    with pytest.raises(ContractViolated):
        prediction(features)
