"""Refusals: typed errors and dead letters, which cost no other request anything."""

import json

import pytest

from modstream.broker.wire.contracts import ErrorResponse, Prediction, Tensor
from modstream.broker.wire.dead_letters import read_cause
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header
from modstream.models.registry.errors import RegistryUnavailable
from modstream.processors.predict.deduplication import Deduplicator
from tests.processors.predict.handlers import GOOD, ask, composed, worker
from tests.processors.small_fixtures import (
    TWO_FLOATS,
    StubModelProvider,
    decode_responses,
    make_record,
    rejecting_model,
    river_model,
)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"features": {"x": 1.5}}, "missing_feature"),
        ({"features": {"x": "1.5", "city": "LGA"}}, "wrong_type"),
        ({"features": {"x": None, "city": "LGA"}}, "wrong_type"),
        ({"features": {"x": float("nan"), "city": "LGA"}}, "not_finite"),
        ({"features": {"x": float("inf"), "city": "LGA"}}, "not_finite"),
        ({"features": GOOD, "model": "nobody"}, "unknown_model"),
        ({"features": GOOD, "version": 9}, "unknown_model"),
        ({"inputs": [Tensor(name="x", shape=(1,), datatype="FP64", data=[1])]}, "missing_feature"),
    ],
)
def test_a_request_that_cannot_be_predicted_gets_a_typed_error(request_, code):
    document = {"id": "r", **request_}
    if "inputs" in document:
        document["inputs"] = [tensor.model_dump() for tensor in document["inputs"]]

    (answer,) = decode_responses(
        worker(river_model())([make_record(json.dumps(document).encode())])
    )

    assert isinstance(answer, ErrorResponse)
    assert (answer.id, answer.code) == ("r", code)


def test_a_contract_violation_with_a_readable_id_gets_a_typed_error():
    (answer,) = decode_responses(
        worker(river_model())([make_record(b'{"id":"r","features":{"x":[1]}}')])
    )

    assert (answer.id, answer.code) == ("r", "contract_violated")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "not_json"),
        (b"", "not_json"),
        (b"not json", "not_json"),
        (b"\xff\xfe\x00", "not_json"),
        (b"[" * 10_000 + b"]" * 10_000, "not_json"),
        (b"[1,2]", "contract_violated"),
        (b'{"id":"\\ud800","features":5}', "not_json"),
        (b'{"id":"r","features":{"x":1,"city":"' + b"y" * 30_000 + b'"}}', "too_large"),
    ],
)
def test_a_record_without_a_readable_id_becomes_a_dead_letter_with_its_bytes_untouched(value, code):
    headers = (("traceparent", b"00-abc"),)
    request = make_record(value, offset=9, headers=headers)

    (letter,) = worker(river_model(), max_request_bytes=25_000)([request])

    assert (letter.topic, letter.key, letter.value) == ("s.dlq", b"k", value)
    assert letter.headers[:1] == headers
    cause = read_cause(as_read(letter))
    assert (cause["topic"], cause["partition"], cause["offset"]) == ("s.requests", "2", "9")
    assert cause["class.name"] == code


def test_raw_tensors_whose_id_is_not_unicode_become_a_dead_letter_each_time():
    text = b'{"id":"\\ud800","inputs":[{"name":"X","shape":[1,2],"datatype":"FP32",'
    text += b'"parameters":{"binary_data_size":8}}]}'
    length = ((str(Header.JSON_LENGTH), b"%d" % len(text)),)
    requests = [make_record(text + bytes(8), offset=offset, headers=length) for offset in (0, 1)]

    letters = worker(river_model(schema=TWO_FLOATS))(requests)

    assert [read_cause(as_read(one))["class.name"] for one in letters] == ["contract_violated"] * 2


def test_the_error_of_a_datatype_that_is_not_unicode_can_be_written():
    text = b'{"id":"r","inputs":[{"name":"X","shape":[1,2],"datatype":"\\ud800",'
    text += b'"parameters":{"binary_data_size":8}}]}'
    length = ((str(Header.JSON_LENGTH), b"%d" % len(text)),)

    (answer,) = decode_responses(
        worker(river_model(schema=TWO_FLOATS))([make_record(text + bytes(8), headers=length)])
    )

    assert (answer.id, answer.code) == ("r", "contract_violated")
    assert "values of type ?" in answer.message


def as_read(letter):
    return Record(letter.topic, 0, 0, letter.key, letter.value, letter.headers)


def test_one_bad_row_costs_no_other_request_of_its_batch():
    values = [
        ask(id="a", features=GOOD),
        b"rubbish",
        ask(id="b", features={"x": "?", "city": "LGA"}),
        ask(id="c", features=(GOOD, {"x": 1})),
        ask(id="d", features=GOOD),
    ]

    out = worker(river_model())([make_record(value, offset=n) for n, value in enumerate(values)])

    kinds = [(type(answer).__name__, answer.id) for answer in decode_responses(out)]
    assert kinds == [
        ("Prediction", "a"),
        ("ErrorResponse", "b"),
        ("ErrorResponse", "c"),
        ("Prediction", "d"),
    ]
    assert [o.topic for o in out].count("s.dlq") == 1


def test_the_bad_row_of_several_is_named_by_its_number():
    (answer,) = decode_responses(
        worker(river_model())([make_record(ask(features=(GOOD, GOOD, {"x": 1})))])
    )

    assert answer.message.startswith("row 2:")


def test_a_row_that_fails_in_the_runtime_is_isolated_by_bisection():
    rows = [{"a": float(n), "b": 0} for n in range(64)]
    model = rejecting_model(rejected_value=37)

    out = worker(model)(
        [make_record(ask(id=str(n), features=row), offset=n) for n, row in enumerate(rows)]
    )

    refused = [answer for answer in decode_responses(out) if isinstance(answer, ErrorResponse)]
    assert [(answer.id, answer.code) for answer in refused] == [("37", "no_output")]
    predicted = [answer for answer in decode_responses(out) if isinstance(answer, Prediction)]
    assert [a.outputs["probability"] for a in predicted] == [n / 100 for n in range(64) if n != 37]
    assert model.runtime.calls <= 14


def test_an_output_that_is_not_finite_is_refused():
    rows = ({"a": 1, "b": 0}, {"a": 2, "b": 666}, {"a": 3, "b": 0})

    out = worker(rejecting_model(rejected_value=-1))(
        [make_record(ask(id=str(n), features=r)) for n, r in enumerate(rows)]
    )

    assert [getattr(answer, "code", "fine") for answer in decode_responses(out)] == [
        "fine",
        "no_output",
        "fine",
    ]


def test_a_model_that_cannot_be_loaded_is_unavailable():
    class Away:
        def get(self, name, ref="champion"):
            raise RegistryUnavailable("connection refused")

    (answer,) = decode_responses(composed(Away(), ("m",))([make_record(ask(features=GOOD))]))

    assert answer.code == "model_unavailable"


@pytest.mark.parametrize(
    ("deadline", "code"),
    [(b"2000", None), (b"1999", "deadline_exceeded"), (b"soon", "invalid_deadline"),
     (b"-5", "invalid_deadline"), (b"9" * 40, "invalid_deadline")],
)  # fmt: skip
def test_a_request_past_its_deadline_is_refused_without_predicting(deadline, code):
    model = rejecting_model(rejected_value=13)
    shelf = StubModelProvider({"fussy": model})
    predict = composed(shelf, ("fussy",), now=lambda: 2.0)

    (answer,) = decode_responses(
        predict(
            [make_record(ask(features={"a": 1, "b": 2}), headers=((Header.DEADLINE, deadline),))]
        )
    )

    assert getattr(answer, "code", None) == code
    assert model.runtime.calls == (code is None)


def test_a_duplicate_gets_no_response_and_an_invalid_request_gets_one_error():
    repeats = Deduplicator(10, lambda _spans: [], lambda _home: 1)
    predict = composed(StubModelProvider({"m": river_model()}), ("m",), deduplicator=repeats)
    good, broken = ask(features=GOOD), b'{"id": "b", "features": 7}'

    first = decode_responses(
        predict([make_record(good, 0), make_record(broken, 1), make_record(good, 2)])
    )
    second = decode_responses(
        predict([make_record(broken, 3), make_record(ask(id="c", features=GOOD), 4)])
    )

    assert [answer.id for answer in first] == ["r", "b"]
    assert [answer.id for answer in second] == ["c"]
    assert repeats.duplicates == 2


def test_every_refusal_is_reported_to_the_hook():
    refusals = []
    predict = worker(river_model(), on_refusal=lambda code, model: refusals.append((code, model)))

    predict(
        [
            make_record(ask(features=GOOD)),
            make_record(b"rubbish"),
            make_record(b'{"id":"r","features":7}'),
            make_record(ask(features=GOOD, model="nobody")),
            make_record(ask(features=GOOD), headers=((Header.DEADLINE, b"1"),)),
        ]
    )

    assert refusals == [
        ("not_json", None),
        ("contract_violated", None),
        ("deadline_exceeded", None),
        ("unknown_model", "nobody"),
    ]
