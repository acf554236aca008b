"""The request path: every record leaves as predictions, a typed error, or a dead letter."""

import pytest

from modstream.broker.wire.contracts import Tensor
from modstream.broker.wire.topics import Header
from modstream.processors.predict import state, steps
from modstream.processors.predict.handler import request_handler
from modstream.processors.predict.settings import InferenceSettings
from tests.processors.predict.handlers import GOOD, TOPICS, ask, composed, worker
from tests.processors.small_fixtures import (
    StubModelProvider,
    decode_responses,
    iris_model,
    make_record,
    rejecting_model,
    river_model,
)


def test_a_row_by_name_gets_a_probability_and_its_source_position():
    (answer,) = decode_responses(
        worker(river_model())([make_record(ask(features=GOOD, event_time=77), offset=41)])
    )

    assert (answer.id, answer.model, answer.version, answer.event_time) == ("r", "m", 1, 77)
    assert answer.outputs == {"probability": 0.5}
    assert (answer.source.partition, answer.source.offset) == (2, 41)


def test_every_model_of_the_route_predicts_and_the_primary_records_the_features():
    first, second = decode_responses(
        worker(river_model("a"), river_model("b"))([make_record(ask(features=GOOD))])
    )

    assert (first.model, first.features) == ("a", GOOD)
    assert (second.model, second.features) == ("b", None)


def test_a_request_that_names_a_model_is_answered_by_it_alone():
    predict = worker(river_model("a"), river_model("b"), route=("a",))

    (answer,) = decode_responses(predict([make_record(ask(features=GOOD, model="b"))]))

    assert answer.model == "b"


def test_several_rows_make_one_response_with_an_output_for_each():
    rows = ({"a": 0, "b": 0}, {"a": 2, "b": 0})

    (answer,) = decode_responses(worker(iris_model())([make_record(ask(features=rows))]))

    assert [output["label"] for output in answer.outputs] == ["a", "c"]
    assert sum(answer.outputs[0]["probabilities"].values()) == pytest.approx(1)
    assert answer.features == ({"a": 0.0, "b": 0.0}, {"a": 2.0, "b": 0.0})


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
    (answer,) = decode_responses(worker(iris_model())([make_record(ask(inputs=inputs))]))

    probabilities, label = answer.outputs
    assert (probabilities.name, probabilities.shape) == ("probabilities", (2, 3))
    assert (label.name, label.datatype, label.data) == ("label", "BYTES", ["a", "c"])


def test_a_single_row_of_tensors_keeps_its_features_by_name():
    inputs = [Tensor(name="x", shape=(1, 2), datatype="FP64", data=[0.5, 2])]

    (answer,) = decode_responses(worker(iris_model())([make_record(ask(inputs=inputs))]))

    assert answer.features == {"a": 0.5, "b": 2.0}


def test_responses_keep_the_order_of_their_requests_across_models():
    models = [river_model("a"), river_model("b")]
    values = [ask(id=str(n), features=GOOD, model="ab"[n % 2]) for n in range(20)]

    out = decode_responses(
        worker(*models)([make_record(v, offset=n) for n, v in enumerate(values)])
    )

    assert [answer.id for answer in out] == [str(n) for n in range(20)]


def test_a_response_has_the_key_of_its_request_or_else_its_id():
    keyed, unkeyed = worker(river_model())(
        [
            make_record(ask(id="a", features=GOOD), key=b"key"),
            make_record(ask(id="b", features=GOOD), key=None),
        ]
    )

    assert (keyed.key, unkeyed.key) == (b"key", b"b")


def test_tracing_and_reply_headers_are_passed_through_and_others_are_not():
    headers = (("traceparent", b"00-1"), ("reply-to", b"me"), ("secret", b"x"))

    (out,) = worker(river_model())([make_record(ask(features=GOOD), headers=headers)])

    assert out.headers[2:] == headers[:2]
    assert dict(out.headers)[Header.MODEL] == b"m/1"


def test_one_batch_resolves_each_model_once_in_any_request_format():
    provider = StubModelProvider({"a": river_model("a"), "b": river_model("b")})
    rows = [ask(features=GOOD), ask(features=(GOOD, GOOD))]

    composed(provider, ("a", "b"))([make_record(rows[n % 2], offset=n) for n in range(100)])

    assert sorted(provider.requested) == [("a", "champion"), ("b", "champion")]


def test_the_result_says_what_each_model_cost_in_any_request_format():
    provider = StubModelProvider({"m": river_model("m"), "n": river_model("n")})
    handle = request_handler(TOPICS, provider, InferenceSettings(("m", "n")))

    costs = handle([make_record(ask(features=GOOD)), make_record(ask(features=[GOOD, GOOD]))]).costs

    assert sum(cost.rows for cost in costs if cost.model == "m") == 2
    assert sum(cost.rows for cost in costs if cost.model == "n") == 2
    assert all(cost.seconds > 0 for cost in costs)


def test_every_request_is_decoded_once(monkeypatch):
    whole, rest = [], []
    decode_request, decode_head = steps.decode_request, state.decode_head
    monkeypatch.setattr(
        steps, "decode_request", lambda r, limit: whole.append(r.offset) or decode_request(r, limit)
    )
    monkeypatch.setattr(
        state, "decode_head", lambda head, *more: rest.append(head.id) or decode_head(head, *more)
    )
    rows = [{"a": 1, "b": 0}, {"a": 13, "b": 0}, ({"a": 1, "b": 0}, {"a": 2, "b": 0}), {"a": 1}]
    batch = [make_record(ask(id=f"{n}", features=row), n) for n, row in enumerate(rows)]

    found = worker(rejecting_model(rejected_value=13))([*batch, make_record(b"rubbish", 9)])

    assert len(found) == 5
    assert whole == [9], "the head of every other request is decoded already"
    assert sorted(rest) == ["0", "1", "2", "3"], "none twice, after the runtime failed on a batch"
