"""Every response is measured: too large means a typed error, or a dead letter that fits."""

import json

import numpy as np
import pytest

from modstream.broker.errors import KeyTooLarge
from modstream.broker.wire.codec import decode_response
from modstream.broker.wire.contracts import ErrorResponse, Prediction
from modstream.broker.wire.dead_letters import read_cause
from modstream.broker.wire.originals import read_original
from modstream.broker.wire.record_limits import RecordLimits
from modstream.broker.wire.record_size import MAX_KEY_BYTES, fits, record_size
from modstream.broker.wire.records import ILLEGIBLE_HEADERS, Record
from modstream.broker.wire.topics import MAX_RECORD_BYTES, Header
from modstream.models.schema.input_schema import InputSchema
from modstream.processors.predict.version_markers import VersionMarkers
from tests.processors.predict.handlers import GOOD, ask, worker
from tests.processors.small_fixtures import (
    StubLoadedModel,
    make_card,
    make_record,
    river_model,
)

ONE_FLOAT = InputSchema.of_floats(["x"])
CLASSES = tuple(f"class-{number:030}" for number in range(100))
BIG = 16_500_000


class EvenRuntime:
    """Gives every class the same probability."""

    def predict(self, batch):
        return np.full((batch.size, len(CLASSES)), 1 / 101)


def hundred():
    card = make_card("hundred", schema=ONE_FLOAT, task="multiclass", classes=CLASSES)
    return StubLoadedModel(card, EvenRuntime())


def stored(record, offset=0):
    return Record(record.topic, 2, offset, *record[1:4], 0)


def only(records):
    (record,) = records
    return record


def rows(count):
    return ask(features=({"x": 0.5},) * count)


def test_an_answer_too_large_for_its_topic_is_a_typed_error_to_its_sender():
    request = make_record(rows(10_000), headers=(("correlation-id", b"7"),))

    record = only(worker(hundred())([request]))

    error = decode_response(stored(record))
    assert isinstance(error, ErrorResponse)
    assert (error.id, error.code, error.model) == ("r", "answer_too_large", "hundred")
    assert "16,777,216" in error.message
    assert (record.topic, record.key) == ("s.predictions", b"k")
    assert stored(record).header("correlation-id") == b"7"


@pytest.mark.slow
def test_answers_to_the_neighbours_of_a_too_large_one_are_unchanged():
    batch = [make_record(rows(n), offset=n) for n in (1, 10_000, 2)]

    first, error, third = map(stored, worker(hundred())(batch))

    assert (first.value, third.value) == tuple(
        only(worker(hundred())([one])).value for one in (batch[0], batch[2])
    )
    assert error.header(Header.KIND) == b"error"


@pytest.mark.parametrize("limit", [5_000, 9_000])
def test_a_fast_answer_is_measured_by_the_limit_of_its_topic(limit):
    """A row to a hundred classes has an answer of 5 to 6 kB."""
    limits = RecordLimits({"s.predictions": limit})
    batch = [make_record(ask(id=f"r{n}", features={"x": 0.5}), offset=n) for n in range(3)]

    records = worker(hundred(), limits=limits)(batch)

    kinds = {stored(record).header(Header.KIND) for record in records}
    assert kinds == ({b"prediction"} if limit > 6_000 else {b"error"})
    assert [decode_response(stored(record)).id for record in records] == ["r0", "r1", "r2"]
    assert all(fits(record, limit) for record in records)


def test_features_that_make_an_answer_too_large_are_left_out_of_it():
    limits = RecordLimits({"s.predictions": 20_000})
    request = make_record(ask(features={**GOOD, "city": "y" * 30_000}))

    record = only(worker(river_model(), limits=limits)([request]))

    prediction = decode_response(stored(record))
    assert isinstance(prediction, Prediction)
    assert prediction.outputs == {"probability": 0.5}
    assert prediction.features is None
    assert "too large" in prediction.features_omitted


@pytest.mark.parametrize(
    "request_",
    [
        {"features": GOOD},
        {"features": (GOOD, GOOD)},
        {"features": {"x": "?"}},
        {"features": GOOD, "model": "nobody"},
    ],
)
@pytest.mark.parametrize("size", [MAX_KEY_BYTES + 1, BIG])
def test_a_key_too_large_for_a_response_makes_a_dead_letter_that_fits(request_, size):
    limits = RecordLimits({"s.predictions": MAX_RECORD_BYTES})
    markers = VersionMarkers("s.version-markers", lambda _: 1)
    request = make_record(ask(**request_), key=bytes(size))

    letter = only(worker(river_model(), limits=limits, markers=markers)([request]))

    assert letter.topic == "s.dlq"
    assert read_cause(stored(letter))["class.name"] == KeyTooLarge.code
    assert fits(letter)
    assert letter.value == request.value


@pytest.mark.parametrize(
    "headers",
    [
        (("ce_x", bytes(BIG)),),
        tuple((f"ce_{n}", bytes(1000)) for n in range(20_000)),
        (("ce_" + "x" * BIG, b""),),
        tuple((f"h{n}", b"v") for n in range(10_000)),
        (("d", b"1"), ("d", b"2"), ("", b""), ("n", None)),
    ],
)
@pytest.mark.parametrize("value", [ask(features=GOOD), ask(features={"x": "?"}), b'{"id":"r"}'])
def test_huge_and_odd_headers_cost_an_answer_nothing_but_themselves(headers, value):
    record = only(worker(river_model())([make_record(value, headers=headers)]))

    assert record.topic == "s.predictions"
    assert decode_response(stored(record)).id == "r"
    assert record_size(record) < 64_000


@pytest.mark.parametrize("value", [bytes(17_000_000), b"[" + b"1," * 9_000_000 + b"1]"])
def test_a_value_too_large_for_any_topic_makes_a_dead_letter_with_its_place(value):
    letter = only(worker(river_model())([make_record(value, offset=9)]))

    assert letter.topic == "s.dlq"
    assert fits(letter)
    original = read_original(stored(letter))
    assert (str(original), original.size) == ("s.requests:2:9", len(value))
    assert read_cause(stored(letter))["class.name"] == "too_large"


def test_a_dead_letter_is_measured_by_the_limit_of_its_own_topic():
    limits = RecordLimits({"s.dlq": 20_000})

    letter = only(worker(river_model(), limits=limits)([make_record(b"x" * 30_000)]))

    assert fits(letter, 20_000)
    assert read_original(stored(letter)).size == 30_000


def test_an_error_that_does_not_fit_its_topic_loses_its_headers_first():
    limits = RecordLimits({"s.predictions": 5_000})
    request = make_record(ask(features={"x": "?"}), headers=(("ce_x", bytes(6_000)),))

    record = only(worker(river_model(), limits=limits)([request]))

    assert record.headers == ((Header.KIND, b"error"),)


def test_a_request_whose_headers_are_illegible_is_answered_and_the_answer_says_so():
    fast, slow = (
        only(worker(river_model())([make_record(ask(features=one), headers=ILLEGIBLE_HEADERS)]))
        for one in (GOOD, (GOOD, GOOD))
    )

    for record in (fast, slow):
        assert isinstance(decode_response(stored(record)), Prediction)
        assert record.headers[2:] == ILLEGIBLE_HEADERS


def test_illegible_headers_without_which_the_value_is_no_request_make_a_dead_letter():
    value = json.dumps({"id": "r", "inputs": []}).encode() + bytes(4)
    refused = []

    letter = only(
        worker(river_model(), on_refusal=lambda code, _: refused.append(code))(
            [make_record(value, headers=ILLEGIBLE_HEADERS)]
        )
    )

    assert (letter.topic, letter.value) == ("s.dlq", value)
    assert read_cause(stored(letter))["class.name"] == "illegible_headers"
    assert refused == ["illegible_headers"]


def test_skipped_offsets_leave_as_one_dead_letter_that_names_them():
    headers = ((Header.SKIPPED.value, b"3-9: cannot be decompressed"),)
    skipped = make_record(None, offset=9, key=None, headers=headers)

    letter = only(worker(river_model())([skipped]))

    cause = read_cause(stored(letter))
    assert (cause["class.name"], cause["offset"]) == ("unreadable", "9")
    assert "3-9: cannot be decompressed" in cause["exception.message"]


def test_a_refusal_is_reported_once_whatever_its_response_becomes():
    refused = []
    handle = worker(
        hundred(),
        limits=RecordLimits({"s.predictions": 5_000}),
        on_refusal=lambda code, model: refused.append((code, model)),
    )

    handle([make_record(rows(1)), make_record(rows(2), offset=1, key=bytes(BIG))])

    assert refused == [("answer_too_large", "hundred"), ("key_too_large", "hundred")]


def test_no_version_marker_stands_where_no_prediction_does():
    markers = VersionMarkers("s.version-markers", lambda _: 1)
    limits = RecordLimits({"s.predictions": 5_000})

    records = worker(hundred(), limits=limits, markers=markers)([make_record(rows(1))])

    assert [record.topic for record in records] == ["s.predictions"]
