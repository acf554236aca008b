"""Labels of requests with several rows, in every format, and of requests that have no labels."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.broker.wire.contracts import (
    ColumnNames,
    ErrorResponse,
    OutputTensor,
    Prediction,
    Tensor,
)
from modstream.processors.join.answers import MAX_ROWS
from modstream.processors.join.transitions import JoinCounter
from tests.processors.join.join_log import (
    ERROR_HEADERS,
    HORIZON,
    OUT_OF_ORDERNESS,
    SOURCE,
    TOPICS,
    JoinHarness,
    error_response,
    label,
)

ROWS = ({"x": 1.0}, {"x": 2.0}, {"x": 3.0})
VALUES = (0.1, 0.2, 0.3)


def answer(outputs, features=None, name="a", model="online", **fields):
    return Prediction(
        id=name, model=model, version=3, outputs=outputs, features=features, event_time=0,
        source=SOURCE, **fields,
    )  # fmt: skip


def rows_by_name(size=3):
    return answer(tuple({"probability": value} for value in VALUES[:size]), ROWS[:size])


def tensors(size=3):
    tensor = Tensor(name="probability", shape=(size,), datatype="FP64", data=list(VALUES[:size]))
    return answer((tensor,), ROWS[:size])


def joined(harness):
    return {
        (one["id"], one.get("row")): (
            one["features"],
            one["predictions"][0]["outputs"],
            one["label"],
        )
        for one in harness.feedback()
    }


def run(harness, *order):
    for topic in order:
        harness.process(topic)
    harness.advance_time(())


@pytest.mark.parametrize("first", [TOPICS.predictions, TOPICS.labels])
@pytest.mark.parametrize("message", [rows_by_name(), tensors()], ids=["rows", "tensors"])
def test_each_row_of_a_request_is_joined_with_its_own_label(message, first):
    harness = JoinHarness()
    harness.append(TOPICS.predictions, message)
    for row in (2, 0, 1):
        harness.append(TOPICS.labels, label("a", value=f"y{row}", row=row))

    run(harness, first, *(harness.records.keys() - {first}))

    assert joined(harness) == {
        ("a", row): (ROWS[row], {"probability": VALUES[row]}, f"y{row}") for row in range(3)
    }
    assert harness.join.state.counts[JoinCounter.JOINED] == 3


@pytest.mark.parametrize("row", [None, 0])
@pytest.mark.parametrize("first", [TOPICS.predictions, TOPICS.labels])
@pytest.mark.parametrize("message", [rows_by_name(1), tensors(1)], ids=["rows", "tensors"])
def test_request_of_one_row_needs_no_row_number(message, first, row):
    harness = JoinHarness()
    harness.append(TOPICS.predictions, message)
    harness.append(TOPICS.labels, label("a", row=row))

    run(harness, first, *(harness.records.keys() - {first}))

    assert joined(harness) == {("a", row): (ROWS[0], {"probability": VALUES[0]}, "yes")}
    assert harness.unjoined() == []


@pytest.mark.parametrize("rows", [(None, 0), (0, None)])
def test_label_without_a_row_does_not_displace_that_of_the_first_row(rows):
    harness = JoinHarness()
    for row in rows:
        harness.append(TOPICS.labels, label("a", value=f"y{row}", row=row))
    harness.append(TOPICS.predictions, rows_by_name())

    run(harness, TOPICS.labels, TOPICS.predictions)

    assert [(one["row"], one["label"]) for one in harness.feedback()] == [(0, "y0")]
    assert harness.unjoined() == [("a", None, "row_missing", "yNone")]


@pytest.mark.parametrize("rows", [(None, 0), (0, None)])
def test_label_of_the_only_row_can_be_sent_with_its_number_and_without(rows):
    harness = JoinHarness()
    for row, value in zip(rows, ("first", "second"), strict=True):
        harness.append(TOPICS.labels, label("a", value=value, row=row))
    harness.append(TOPICS.predictions, rows_by_name(1))

    run(harness, TOPICS.labels, TOPICS.predictions)

    assert [one["label"] for one in harness.feedback()] == ["second"]
    assert [reason for _, _, reason, _ in harness.unjoined()] == ["revised"]
    assert len(harness.join.entries) == 1


@pytest.mark.parametrize("first", [TOPICS.predictions, TOPICS.labels])
@pytest.mark.parametrize(
    ("size", "row", "reason"),
    [(3, None, "row_missing"), (3, 3, "row_unknown"), (1, 1, "row_unknown")],
)
def test_label_of_no_row_is_told_when_it_meets_its_request(size, row, reason, first):
    harness = JoinHarness()
    harness.append(TOPICS.predictions, rows_by_name(size))
    harness.append(TOPICS.labels, label("a", row=row))

    harness.process(first)
    (other,) = harness.records.keys() - {first}
    harness.process(other)

    assert harness.unjoined() == [("a", row, reason, "yes")]
    assert f"{size}" in json.loads(harness.published[0].value)["detail"]
    assert harness.feedback() == []
    assert harness.join.state.counts[JoinCounter.UNLABELLABLE] == 1


@pytest.mark.parametrize("first", [TOPICS.predictions, TOPICS.labels])
@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            answer((Tensor(name="y", shape=(1, 2, 2), datatype="FP32", data=[0] * 4),)),
            "not_learnable",
        ),
        (answer((Tensor(name="y", shape=(), datatype="FP32", data=[0]),)), "not_learnable"),
        (
            answer((Tensor(name="y", shape=(2,), datatype="FP32", data=[[0], [1]][:1]),)),
            "not_learnable",
        ),
        (answer(({"value": 1.0},) * (MAX_ROWS + 1)), "features_not_recorded"),
        (answer(({"value": 1.0},) * 2, features_omitted="2 GB"), "features_not_recorded"),
        (answer(({"value": 1.0},) * 3, features=ROWS[:2]), "features_not_recorded"),
    ],
    ids=["images", "no rows", "incomplete", "too many rows", "too large", "other rows"],
)
def test_label_that_cannot_be_learned_is_told_with_the_reason(message, reason, first):
    harness = JoinHarness()
    harness.append(TOPICS.predictions, message)
    harness.append(TOPICS.labels, label("a", row=0))

    run(harness, first, *(harness.records.keys() - {first}))

    assert harness.unjoined() == [("a", 0, reason, "yes")]
    assert json.loads(harness.published[0].value)["detail"]


def test_every_row_without_a_label_is_missing_and_then_late():
    harness = JoinHarness()
    harness.append(TOPICS.predictions, rows_by_name())
    harness.append(TOPICS.predictions, answer({"probability": 1.0}, name="b").model_copy(
        update={"event_time": 1 + HORIZON + OUT_OF_ORDERNESS}
    ))  # fmt: skip
    harness.append(TOPICS.labels, label("a", row=1, at=0))
    harness.process(TOPICS.predictions)
    harness.process(TOPICS.labels)
    harness.advance_time()
    harness.append(TOPICS.labels, label("a", row=2, at=1))
    harness.process(TOPICS.labels)

    *missing, late = harness.unjoined()
    assert sorted(missing) == [("a", 0, "missing", None), ("a", 2, "missing", None)]
    assert late == ("a", 2, "late", "yes")


def test_every_row_is_joined_with_the_predictions_of_all_models_and_learned_once():
    harness = JoinHarness()
    harness.append(TOPICS.predictions, rows_by_name())
    frozen = answer(tuple({"probability": value} for value in VALUES), model="frozen")
    harness.append(TOPICS.predictions, frozen)
    harness.append(TOPICS.labels, label("a", row=1))

    run(harness, TOPICS.predictions, TOPICS.labels)

    (one,) = harness.feedback()
    assert [scored["model"] for scored in one["predictions"]] == ["online", "frozen"]
    assert one["features"] == ROWS[1]


def test_rows_survive_a_restart():
    harness = JoinHarness()
    harness.append(TOPICS.predictions, rows_by_name())
    harness.append(TOPICS.labels, label("b", row=7))
    harness.append(TOPICS.predictions, error_response("c"), headers=ERROR_HEADERS)
    harness.append(TOPICS.labels, label("c"))
    harness.process(TOPICS.predictions)
    harness.process(TOPICS.labels)

    harness.restart()
    harness.append(TOPICS.labels, label("a", row=2))
    harness.append(TOPICS.predictions, answer(({"probability": 0.5},) * 2, name="b"))
    run(harness, TOPICS.predictions, TOPICS.labels)

    assert joined(harness) == {("a", 2): (ROWS[2], {"probability": VALUES[2]}, "yes")}
    assert harness.unjoined() == [("b", 7, "row_unknown", "yes"), ("c", None, "refused", "yes")]


def test_revised_label_corrects_its_own_row():
    harness = JoinHarness()
    harness.append(TOPICS.predictions, rows_by_name())
    harness.append(TOPICS.labels, label("a", row=1))
    harness.append(TOPICS.labels, label("a", row=1, value="no", revision=1))

    run(harness, TOPICS.predictions, TOPICS.labels)

    first, corrected = harness.feedback()
    assert (first["row"], corrected["row"], corrected["revises"]) == (1, 1, "yes")
    assert corrected["predictions"] == first["predictions"]


NAMES = ("a", "b")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("answer"), st.sampled_from(NAMES), st.sampled_from(["m", "n"])),
        st.tuples(st.just("error"), st.sampled_from(NAMES), st.just(None)),
        st.tuples(st.just("label"), st.sampled_from(NAMES), st.none() | st.integers(0, 3)),
        st.tuples(st.just("process"), st.booleans(), st.just(None)),
        st.tuples(st.just("restart"), st.just(None), st.just(None)),
        st.tuples(st.just("tick"), st.just(None), st.just(None)),
    ),
    max_size=40,
)


@given(STEPS, st.sampled_from([1, 2, 3]), st.booleans())
def test_every_label_of_a_row_has_exactly_one_outcome_in_any_order(steps, size, is_tensor):
    harness, sent = JoinHarness(), 0
    answered, refused = set(), set()
    for step, name, value in steps:
        if step == "answer":
            made = (tensors if is_tensor else rows_by_name)(size)
            harness.append(TOPICS.predictions, made.model_copy(update={"id": name, "model": value}))
            answered.add(name)
        elif step == "error":
            harness.append(TOPICS.predictions, error_response(name), headers=ERROR_HEADERS)
            refused.add(name)
        elif step == "label":
            harness.append(TOPICS.labels, label(name, value=f"{name}{value}", row=value))
            sent += 1
        elif step == "process":
            harness.process(TOPICS.labels if name else TOPICS.predictions)
        elif step == "restart":
            harness.restart()
        else:
            harness.advance_time(())
    run(harness, TOPICS.predictions, TOPICS.labels)

    counts = harness.join.state.counts
    outcomes = sum(counts[one] for one in ("joined", "duplicate", "revised", "unlabellable"))
    waiting = [one.id for one in harness.join.entries.values() if one.is_orphan]
    assert outcomes + len(waiting) == sent
    assert not {*waiting} & (answered | refused)
    assert counts["internal_error"] == counts["malformed"] == 0
    for one in harness.feedback():
        row = one.get("row") or 0
        assert row < size
        assert size == 1 or "row" in one
        assert one["predictions"][0]["outputs"] == {"probability": VALUES[row]}
        assert one.get("features", ROWS[row]) == ROWS[row]


def test_error_of_a_request_does_not_advance_event_time():
    harness = JoinHarness()
    harness.append(TOPICS.predictions, error_response("a"), headers=ERROR_HEADERS)

    harness.process(TOPICS.predictions)

    assert harness.join.state.inputs[TOPICS.predictions].max_event_time is None


def test_named_columns_are_read_by_their_names():
    probabilities = OutputTensor(
        name="probabilities", shape=(1, 2), datatype="FP64", data=[0.25, 0.75],
        parameters=ColumnNames(columns=(1, 2)),
    )  # fmt: skip
    text = Tensor(name="label", shape=(1,), datatype="BYTES", data=["2"])
    harness = JoinHarness()
    harness.append(TOPICS.predictions, answer((probabilities, text), ROWS[0]))
    harness.append(TOPICS.labels, label("a", value=2))

    run(harness, TOPICS.predictions, TOPICS.labels)

    (one,) = harness.feedback()
    assert one["predictions"][0]["outputs"] == {
        "probabilities": {"1": 0.25, "2": 0.75}, "label": 2,
    }  # fmt: skip


def test_detail_of_a_refusal_is_bounded():
    harness = JoinHarness()
    error = ErrorResponse(id="a", code="no_output", message="x" * 10_000, source=SOURCE)
    harness.append(TOPICS.predictions, error, headers=ERROR_HEADERS)
    harness.append(TOPICS.labels, label("a"))

    run(harness, TOPICS.predictions, TOPICS.labels)

    assert len(harness.published[0].value) < 1000
