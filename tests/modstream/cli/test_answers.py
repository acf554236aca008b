"""The answers of `modstream predict` as text, and their explanations."""

import inspect

import pytest
import typer

import modstream.models.errors as model_errors
import modstream.processors.errors as processor_errors
from modstream.broker.wire.contracts import ErrorResponse, Prediction, Request, SourcePosition
from modstream.cli.answers import (
    ADVICE,
    Explanation,
    answer_document,
    describe_refusal,
    explanation_document,
    explanation_lines,
    prediction_lines,
    short_line,
)
from modstream.cli.predict_arguments import split_arguments
from modstream.producers.client.pending_requests import (
    PendingRequest,
    RecordMetadata,
    ResponseArrival,
)
from modstream.producers.client.request_window import Answer

SOURCE = SourcePosition(topic="flights.requests", partition=1, offset=5)
PREDICTED = Prediction(
    id="r-1", model="flights", version=3, outputs={"probability": 0.25}, features={"x": 1.5},
    source=SOURCE,
)  # fmt: skip
REFUSED = ErrorResponse(
    id="r-1", model="flights", code="wrong_type", message="x is text", source=SOURCE
)
ALIASES = {("flights", 3): ["champion", "shadow"]}


def answer(response, written_ms=1_000_020):
    """Return an answer to a request that was sent at 1000 s and answered 0.05 s later."""
    pending = PendingRequest(
        "r-1",
        "UA",
        responses={"flights": response},
        arrivals={
            "flights": ResponseArrival(
                RecordMetadata("flights.predictions", 1, 9, written_ms), 1000.05
            )
        },
        sent_at=1000.0,
        record=RecordMetadata("flights.requests", 1, 5, 1_000_001),
    )
    return Answer(Request(id="r-1", features={"x": 1.5}), response, pending)


def test_an_answer_has_outputs_version_time_and_id():
    lines = list(
        prediction_lines(answer(PREDICTED), PREDICTED, ALIASES, {"probability": "of a"}, 80)
    )

    assert lines == [
        "probability  0.25, of a",
        "flights version 3 (champion, shadow), in 50 ms, id r-1",
    ]


def test_one_of_many_answers_is_one_line():
    assert short_line(answer(PREDICTED)) == "r-1  flights/3  probability 0.25"
    assert short_line(answer(REFUSED)) == "r-1  refused: x is text (wrong_type)"


def test_a_refusal_says_what_to_do():
    assert describe_refusal(REFUSED) == (
        "x is text (wrong_type): `modstream models show flights` lists the features that it takes"
    )


def test_every_refusal_of_a_row_by_a_model_has_an_advice():
    codes = {
        error.code
        for module, base in (
            (model_errors, model_errors.InputError),
            (processor_errors, processor_errors.Refusal),
        )
        for _, error in inspect.getmembers(module, inspect.isclass)
        if issubclass(error, base) and error is not base and "code" in vars(error)
    }

    # A request of `predict` has no deadline.
    assert codes - ADVICE.keys() == {"deadline_exceeded", "invalid_deadline"}


def test_an_explanation_has_features_version_positions_and_latency():
    assert list(explanation_lines(Explanation(answer(PREDICTED), ALIASES), 80)) == [
        "  features   x: 1.5",
        "  asked for  the models of the route, alias champion",
        "  answered   flights version 3 (champion, shadow)",
        "  request    flights.requests:1:5 at 00:16:40.001, key UA",
        "  response   flights.predictions:1:9 at 00:16:40.020",
        "  latency    50.0 ms: written after 20.0 ms, read 30.0 ms later",
    ]


def test_many_features_are_wrapped_between_them():
    features = {f"feature_{number}": number for number in range(20)}
    lines = list(
        explanation_lines(
            Explanation(answer(PREDICTED.model_copy(update={"features": features})), ALIASES), 60
        )
    )

    assert max(map(len, lines[:6])) <= 60
    shown = " ".join(line.strip() for line in lines)
    assert all(f"{name}: {value}" in shown for name, value in features.items())


def test_the_parts_of_a_latency_are_unknown_if_the_brokers_clock_differs():
    *_, latency = explanation_lines(
        Explanation(answer(PREDICTED, written_ms=2_000_000), ALIASES), 80
    )

    assert latency.endswith("50.0 ms; its parts are unknown, as the broker's clock differs")


def test_a_refused_request_is_explained_without_features():
    lines = list(explanation_lines(Explanation(answer(REFUSED), {}), 80))

    assert lines[0] == "  features   none: the request was refused before a model saw it"
    assert lines[2] == "  answered   flights: wrong_type"


def test_answers_and_explanations_are_documents_for_programs():
    assert answer_document(answer(PREDICTED), ALIASES) == {
        "id": "r-1", "model": "flights", "version": 3, "aliases": ["champion", "shadow"],
        "outputs": {"probability": 0.25}, "latency_ms": pytest.approx(50.0),
    }  # fmt: skip
    assert answer_document(answer(REFUSED), {})["error"] == {
        "code": "wrong_type", "message": "x is text"
    }  # fmt: skip
    explained = explanation_document(Explanation(answer(PREDICTED), ALIASES))
    assert explained["features"] == {"x": 1.5}
    assert explained["request"]["offset"] == 5
    assert explained["latency_ms"]["response_written"] == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["flights", "x=1", "y=a=b"], ("flights", {"x": "1", "y": "a=b"}, None)),
        (["x=-1"], (None, {"x": "-1"}, None)),
        (["flights", "rows.csv"], ("flights", {}, "rows.csv")),
        (["flights", "-"], ("flights", {}, "-")),
        (["-"], (None, {}, "-")),
    ],
)
def test_a_stream_may_come_before_values_or_a_file(arguments, found):
    assert split_arguments(arguments) == found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["flights"], "there is no row: give the values of a row as NAME=VALUE"),
        ([__file__], "name the stream first: modstream predict STREAM"),
        (["flights", "x=1", "rows.csv"], "'rows.csv' is not NAME=VALUE"),
        (["flights", "x=1", "x=2"], "'x' is given twice"),
        (["flights", "=1", "x=2"], "'=1' is not NAME=VALUE"),
        (["a b", "x=1"], "cannot be the name of a stream"),
    ],
)
def test_other_arguments_are_refused_with_what_to_give(arguments, message):
    with pytest.raises(typer.BadParameter, match=message):
        split_arguments(arguments)
