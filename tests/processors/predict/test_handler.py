"""The request path: every record leaves through one door."""

import json

import pytest

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import ErrorAnswer, Prediction, Request, Tensor
from modstream.broker.wire.dead_letters import cause_of
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics
from modstream.models.errors import RegistryUnavailable
from modstream.processors.predict.deduplication import Repeats
from modstream.processors.predict.handler import Predict
from modstream.processors.predict.model_resolver import PredictSettings, Timing
from tests.processors.small_fixtures import Shelf, answers, fussy, iris, record, river

TOPICS = Topics("s")
GOOD = {"x": 1.5, "city": "LGA"}


def worker(*models, route=None, **settings):
    shelf = Shelf({loaded.card.name: loaded for loaded in models})
    return Predict(
        TOPICS, shelf, PredictSettings(route or tuple(m.card.name for m in models), **settings)
    )


def ask(**request):
    return encode(Request(**{"id": "r", **request}))


def test_a_row_by_name_is_answered_with_a_probability_and_where_it_lay():
    (answer,) = answers(worker(river())([record(ask(features=GOOD, event_time=77), offset=41)]))

    assert (answer.id, answer.model, answer.version, answer.event_time) == ("r", "m", 1, 77)
    assert answer.outputs == {"probability": 0.5}
    assert (answer.source.partition, answer.source.offset) == (2, 41)


def test_every_model_of_the_route_answers_and_the_primary_keeps_the_features():
    first, second = answers(worker(river("a"), river("b"))([record(ask(features=GOOD))]))

    assert (first.model, first.features) == ("a", GOOD)
    assert (second.model, second.features) == ("b", None)


def test_a_request_that_names_a_model_is_answered_by_it_alone():
    predict = worker(river("a"), river("b"), route=("a",))

    (answer,) = answers(predict([record(ask(features=GOOD, model="b"))]))

    assert answer.model == "b"


def test_several_rows_make_one_answer_with_an_output_for_each():
    rows = ({"a": 0, "b": 0}, {"a": 2, "b": 0})

    (answer,) = answers(worker(iris())([record(ask(features=rows))]))

    assert [output["label"] for output in answer.outputs] == ["a", "c"]
    assert sum(answer.outputs[0]["probabilities"].values()) == pytest.approx(1)
    assert answer.features is None


@pytest.mark.parametrize(
    "inputs",
    [
        [Tensor(name="x", shape=(2, 2), datatype="FP64", data=[0, 0, 2, 0])],
        [
            Tensor(name="b", shape=(2,), datatype="INT64", data=[0, 0]),
            Tensor(name="a", shape=(2, 1), datatype="FP32", data=[[0], [2]]),
        ],
    ],
    ids=["one matrix", "a tensor per feature"],
)
def test_tensors_are_answered_with_tensors(inputs):
    (answer,) = answers(worker(iris())([record(ask(inputs=inputs))]))

    probabilities, label = answer.outputs
    assert (probabilities.name, probabilities.shape) == ("probabilities", (2, 3))
    assert (label.name, label.datatype, label.data) == ("label", "BYTES", ["a", "c"])


def test_a_single_row_of_tensors_keeps_its_features_by_name():
    inputs = [Tensor(name="x", shape=(1, 2), datatype="FP64", data=[0.5, 2])]

    (answer,) = answers(worker(iris())([record(ask(inputs=inputs))]))

    assert answer.features == {"a": 0.5, "b": 2.0}


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"features": {"x": 1.5}}, "missing_feature"),
        ({"features": {"x": "1.5", "city": "LGA"}}, "wrong_type"),
        ({"features": {"x": True, "city": "LGA"}}, "wrong_type"),
        ({"features": {"x": None, "city": "LGA"}}, "wrong_type"),
        ({"features": {"x": float("nan"), "city": "LGA"}}, "not_finite"),
        ({"features": {"x": float("inf"), "city": "LGA"}}, "not_finite"),
        ({"features": GOOD, "model": "nobody"}, "unknown_model"),
        ({"features": GOOD, "version": 9}, "unknown_model"),
        ({"inputs": [Tensor(name="x", shape=(1,), datatype="FP64", data=[1])]}, "missing_feature"),
    ],
)
def test_a_request_that_cannot_be_scored_is_told_why(request_, code):
    document = {"id": "r", **request_}
    if "inputs" in document:
        document["inputs"] = [tensor.model_dump() for tensor in document["inputs"]]

    (answer,) = answers(worker(river())([record(json.dumps(document).encode())]))

    assert isinstance(answer, ErrorAnswer)
    assert (answer.id, answer.code) == ("r", code)


def test_what_breaks_the_contract_but_has_an_id_is_answered():
    (answer,) = answers(worker(river())([record(b'{"id":"r","features":{"x":[1]}}')]))

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
        (b'{"id":"r","features":{"x":1,"city":"' + b"y" * 30_000 + b'"}}', "too_large"),
    ],
)
def test_what_cannot_be_answered_becomes_a_dead_letter_with_its_bytes_untouched(value, code):
    headers = (("traceparent", b"00-abc"),)
    request = record(value, offset=9, headers=headers)

    (letter,) = worker(river(), largest=25_000)([request])

    assert (letter.topic, letter.key, letter.value) == ("s.dlq", b"k", value)
    assert letter.headers[:1] == headers
    cause = cause_of(Record(letter.topic, 0, 0, letter.key, letter.value, letter.headers))
    assert (cause["topic"], cause["partition"], cause["offset"]) == ("s.requests", "2", "9")
    assert cause["class.name"] == code


def test_one_bad_row_costs_no_other_request_of_its_batch():
    values = [
        ask(id="a", features=GOOD),
        b"rubbish",
        ask(id="b", features={"x": "?", "city": "LGA"}),
        ask(id="c", features=(GOOD, {"x": 1})),
        ask(id="d", features=GOOD),
    ]

    out = worker(river())([record(value, offset=n) for n, value in enumerate(values)])

    kinds = [(type(answer).__name__, answer.id) for answer in answers(out)]
    assert kinds == [
        ("Prediction", "a"),
        ("ErrorAnswer", "b"),
        ("ErrorAnswer", "c"),
        ("Prediction", "d"),
    ]
    assert [o.topic for o in out].count("s.dlq") == 1


def test_the_bad_row_of_several_is_named_by_its_number():
    (answer,) = answers(worker(river())([record(ask(features=(GOOD, GOOD, {"x": 1})))]))

    assert answer.message.startswith("row 2:")


def test_a_row_that_the_runtime_cannot_stand_is_isolated_by_halving():
    rows = [{"a": float(n), "b": 0} for n in range(64)]
    model = fussy(hates=37)

    out = worker(model)(
        [record(ask(id=str(n), features=row), offset=n) for n, row in enumerate(rows)]
    )

    refused = [answer for answer in answers(out) if isinstance(answer, ErrorAnswer)]
    assert [(answer.id, answer.code) for answer in refused] == [("37", "no_answer")]
    predicted = [answer for answer in answers(out) if isinstance(answer, Prediction)]
    assert [a.outputs["probability"] for a in predicted] == [n / 100 for n in range(64) if n != 37]
    assert model.runtime.calls <= 14


def test_an_answer_that_is_not_finite_is_refused():
    rows = ({"a": 1, "b": 0}, {"a": 2, "b": 666}, {"a": 3, "b": 0})

    out = worker(fussy(hates=-1))([record(ask(id=str(n), features=r)) for n, r in enumerate(rows)])

    assert [getattr(answer, "code", "fine") for answer in answers(out)] == [
        "fine",
        "no_answer",
        "fine",
    ]


def test_a_model_that_cannot_be_had_now_is_said_to_be_unavailable():
    class Away:
        def get(self, name, ref="champion"):
            raise RegistryUnavailable("connection refused")

    (answer,) = answers(
        Predict(TOPICS, Away(), PredictSettings(("m",)))([record(ask(features=GOOD))])
    )

    assert answer.code == "model_unavailable"


def test_answers_keep_the_order_of_their_requests_whatever_model_they_ask():
    models = [river("a"), river("b")]
    values = [ask(id=str(n), features=GOOD, model="ab"[n % 2]) for n in range(20)]

    out = answers(worker(*models)([record(v, offset=n) for n, v in enumerate(values)]))

    assert [answer.id for answer in out] == [str(n) for n in range(20)]


def test_an_answer_carries_the_key_of_its_request_or_else_its_id():
    keyed, unkeyed = worker(river())(
        [
            record(ask(id="a", features=GOOD), key=b"key"),
            record(ask(id="b", features=GOOD), key=None),
        ]
    )

    assert (keyed.key, unkeyed.key) == (b"key", b"b")


def test_tracing_and_reply_headers_travel_on_and_others_do_not():
    headers = (("traceparent", b"00-1"), ("ce_id", b"7"), ("reply-to", b"me"), ("secret", b"x"))

    (out,) = worker(river())([record(ask(features=GOOD), headers=headers)])

    assert out.headers[2:] == headers[:3]
    assert dict(out.headers)[Header.MODEL] == b"m/1"


def test_one_batch_asks_the_shelf_once_for_each_model():
    predict = worker(river("a"), river("b"))

    predict([record(ask(features=GOOD), offset=n) for n in range(100)])

    assert sorted(predict._shelf.asked) == [("a", "champion"), ("b", "champion")]


@pytest.mark.parametrize(
    ("deadline", "code"),
    [(b"2000", None), (b"1999", "expired"), (b"soon", "invalid_deadline"),
     (b"-5", "invalid_deadline"), (b"9" * 40, "invalid_deadline")],
)  # fmt: skip
def test_a_request_past_its_deadline_is_refused_uncomputed(deadline, code):
    model = fussy(hates=13)
    shelf = Shelf({"fussy": model})
    predict = Predict(TOPICS, shelf, PredictSettings(("fussy",)), timing=Timing(lambda: 2.0))

    (answer,) = answers(
        predict([record(ask(features={"a": 1, "b": 2}), headers=((Header.DEADLINE, deadline),))])
    )

    assert getattr(answer, "code", None) == code
    assert model.runtime.calls == (code is None)


def test_a_repeated_request_is_passed_over_and_a_broken_one_is_refused_once():
    repeats = Repeats(10, lambda _spans: [], lambda _home: 1)
    predict = Predict(TOPICS, Shelf({"m": river()}), PredictSettings(("m",)), repeats)
    good, broken = ask(features=GOOD), b'{"id": "b", "features": 7}'

    first = answers(predict([record(good, 0), record(broken, 1), record(good, 2)]))
    second = answers(predict([record(broken, 3), record(ask(id="c", features=GOOD), 4)]))

    assert [answer.id for answer in first] == ["r", "b"]
    assert [answer.id for answer in second] == ["c"]
    assert repeats.found == 2


def test_it_is_told_what_each_model_took_however_the_requests_came():
    told = []
    shelf = Shelf({"m": river("m"), "n": river("n")})
    predict = Predict(
        TOPICS,
        shelf,
        PredictSettings(("m", "n")),
        timing=Timing(took=lambda *what: told.append(what)),
    )

    predict([record(ask(features=GOOD)), record(ask(features=[GOOD, GOOD]))])

    assert sum(rows for model, rows, _ in told if model == "m") == 2
    assert sum(rows for model, rows, _ in told if model == "n") == 2
    assert all(seconds > 0 for _, _, seconds in told)
