"""Records of a predictions topic, folded to the newest prediction of each model and key."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import ErrorResponse, Prediction, SourcePosition
from modstream.broker.wire.records import Record
from modstream.processors.precompute.newest import NewestPredictions, read_prediction

TOPIC = "flights.predictions"
SOURCE = SourcePosition(topic="flights.requests", partition=0, offset=5)


def record(key=b"k", offset=0, partition=0, kind=b"prediction", value=None, **fields):
    fields = {"id": "r1", "model": "m", "version": 1, "outputs": {"p": 0.5}, **fields}
    value = encode(Prediction(source=SOURCE, **fields)) if value is None else value
    headers = (("modstream-kind", kind),)
    return Record(TOPIC, partition, offset, key, value, headers, 1_700_000_000_000 + offset)


def fold(*records):
    batch = NewestPredictions()
    batch.add(records)
    return batch


def test_the_last_prediction_of_a_key_is_the_newest():
    batch = fold(record(offset=3, version=1), record(offset=4, version=2), record(b"b", offset=6))

    assert {key: one.version for key, one in batch.predictions.items()} == {
        ("m", "k"): 2,
        ("m", "b"): 1,
    }
    assert batch.offsets == {f"{TOPIC}:0": 7}


def test_a_stored_prediction_has_all_that_a_lookup_returns():
    found = read_prediction(record(offset=3, features={"x": 1.5}, event_time=17))

    assert (found.outputs, found.features, found.event_time) == ({"p": 0.5}, {"x": 1.5}, 17)
    assert (found.created, found.position) == (1_700_000_000_003, f"{TOPIC}:0:3")


def test_models_do_not_replace_each_other():
    batch = fold(record(model="m"), record(model="n", offset=1))

    assert sorted(batch.predictions) == [("m", "k"), ("n", "k")]


def test_errors_replace_nothing_and_advance_the_offsets():
    error = ErrorResponse(id="r", code="wrong_type", message="no", model="m", source=SOURCE)
    batch = fold(record(), record(offset=1, kind=b"error", value=encode(error)))

    assert batch.predictions["m", "k"].version == 1
    assert batch.offsets == {f"{TOPIC}:0": 2}
    assert batch.skipped == {"error": 1}


@pytest.mark.parametrize("key", [None, b"", b"\xff", b"a\0b", b"x" * 1025])
def test_a_key_that_no_store_takes_is_skipped(key):
    assert fold(record(key)).skipped == {"key is no text of 1 to 1,024 bytes": 1}


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"null",
        b"{",
        b'{"id":"r","model":"m","version":1}',
        b'{"id":"r","model":"m","version":-1,"outputs":{}}',
        b'{"id":"r","model":"m","version":1,"outputs":{"p":"\xff"}}',
        b'{"id":"r","model":"m","version":1,"outputs":{"p":"\0"}}',
        b'{"id":"r","model":"m","version":1,"outputs":' + b"[" * 500 + b"]" * 500 + b"}",
    ],
)
def test_a_value_that_is_no_prediction_is_skipped(value):
    assert fold(record(value=value)).skipped == {"undecodable": 1}


def test_outputs_that_are_not_finite_are_kept():
    found = read_prediction(record(outputs={"p": float("inf")}, features={"x": 1.0}))

    assert found.outputs == {"p": float("inf")}
    assert found.features == {"x": 1.0}


@given(value=st.binary(max_size=60))
def test_no_bytes_end_the_fold(value):
    assert fold(record(value=value)).offsets == {f"{TOPIC}:0": 1}


@given(
    cuts=st.lists(st.integers(0, 30), max_size=5),
    keys=st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=30),
)
def test_the_batches_in_which_records_arrive_do_not_change_the_result(cuts, keys):
    records = [record(key.encode(), offset, version=1 + offset) for offset, key in enumerate(keys)]
    whole, parts = fold(*records), {}
    bounds = [0, *sorted(cuts), len(records)]
    for start, stop in pairwise(bounds):
        parts |= fold(*records[start:stop]).predictions

    assert parts == whole.predictions
    assert json.loads(parts["m", keys[-1]].outputs_json) == {"p": 0.5}
