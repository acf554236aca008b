"""Another version's answers held against those that were given."""

import csv
import json
import math

import pytest

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Request, Tensor
from modstream.broker.wire.identifiers import row_key
from modstream.cli.backtest import print_result, rows_with_differences, write_rows
from modstream.models.evaluation.version_classes import VersionLabels
from modstream.models.registry.errors import ModelNotFound
from modstream.models.schema.class_labels import ClassLabels
from modstream.operations.backtest.backtest import BacktestResult
from modstream.operations.backtest.compare import (
    RequestPosition,
    VersionOutput,
    compare,
    compared_rows,
)
from modstream.operations.backtest.scores import BacktestScores, rows_of
from modstream.processors.predict.engine import InferenceEngine
from modstream.processors.predict.model_resolver import SingleModelProvider
from modstream.processors.predict.settings import InferenceSettings
from tests.processors.small_fixtures import iris_model, make_card, make_record, rejecting_model


def said(*values, name="probability", version=1, first=0, id_=None):
    """One answer of a single row for each value, at consecutive offsets."""
    return {
        RequestPosition(0, first + n): VersionOutput(
            id_ or f"r-{first + n}", version, ({name: value},)
        )
        for n, value in enumerate(values)
    }


def subject_of(task, classes=()):
    return VersionLabels(task, ClassLabels.of(task, classes))


BINARY = subject_of("binary")


def compared(served, replayed, labels=None, subject=BINARY, threshold=0.5):
    return compare(subject, list(compared_rows(subject, served, replayed, labels or {})), threshold)


def test_decisions_that_differ_are_counted_by_their_direction():
    found = compared(said(0.1, 0.6, 0.9, 0.4), said(0.7, 0.2, 0.8, 0.5))

    assert (found.decisions.count, found.decisions.up, found.decisions.down) == (3, 2, 1)
    assert compared(said(0.1, 0.6), said(0.7, 0.2), threshold=0.75).decisions.count == 0


def test_the_shift_is_replayed_minus_served():
    found = compared(said(0.1, 0.6, 0.5), said(0.3, 0.5, 0.5))

    assert found.shift.mean == pytest.approx(0.1 / 3)
    assert found.shift.mean_absolute == pytest.approx(0.1)
    assert found.shift.largest == pytest.approx(0.2)
    assert found.shift.quantiles["0.5"] == pytest.approx(0.0)
    assert (found.rows, found.equal) == (3, 1)


def test_only_what_both_answered_is_compared_and_versions_that_served_are_counted():
    served = {**said(0.1, 0.2, version=3), **said(0.3, version=4, first=2), **said(0.9, first=8)}

    found = compared(served, said(0.1, 0.2, 0.3, 0.4))

    assert (found.rows, found.versions) == (3, {3: 2, 4: 1})


def test_the_figures_are_over_rows_whose_label_is_known_and_of_the_task():
    labels = {"r-0": False, "r-1": True, "r-2": "rubbish"}

    found = compared(said(0.1, 0.6, 0.9, 0.4), said(0.9, 0.2, 0.9, 0.4), labels)

    assert found.labelled == 2
    assert (found.served["auc"], found.backtested["auc"]) == (1.0, 0.0)
    assert found.served["log_loss"] == pytest.approx(-(math.log(0.9) + math.log(0.6)) / 2)
    assert compared(said(0.1), said(0.2)).served == {}


def test_classes_are_compared_as_such_and_values_decide_nothing():
    classes = compared(
        said("a", "b", name="label"),
        said("a", "c", name="label"),
        {"r-1": "c"},
        subject_of("multiclass", "abc"),
    )
    values = compared(
        said(1.0, 2.0, name="value"), said(1.0, 4.0, name="value"), {}, subject_of("regression")
    )

    assert (classes.decisions.count, classes.decisions.up, classes.shift) == (1, None, None)
    assert (classes.served["accuracy"], classes.backtested["accuracy"]) == (0.0, 1.0)
    assert (values.decisions, values.shift.mean) == (None, 1.0)


def test_answers_of_another_task_are_not_compared():
    assert not list(compared_rows(BINARY, said("a", name="label"), said(0.4), {}))


def test_a_label_without_a_row_number_is_no_truth_of_one_of_several_rows():
    several = {
        RequestPosition(0, 0): VersionOutput("r", 1, ({"probability": 0.1}, {"probability": 0.9}))
    }

    found = list(compared_rows(BINARY, several, several, {"r": True}))
    numbered = list(compared_rows(BINARY, several, several, {row_key("r", 1): True}))

    assert [(pair.row, pair.label) for pair in found] == [(0, None), (1, None)]
    assert [(pair.row, pair.label) for pair in numbered] == [(0, None), (1, True)]


@pytest.mark.parametrize(
    ("classes", "labels"),
    [((1, 2), {"r-0": 1, "r-1": 2.0, "r-2": 3}), (("no", "yes"), {"r-0": "no", "r-1": "yes"})],
)
def test_labels_are_read_by_the_classes_of_the_version(classes, labels):
    found = compared(
        said(0.1, 0.9, 0.5), said(0.9, 0.1, 0.5), labels, subject_of("binary", classes)
    )

    assert (found.labelled, found.served["auc"], found.backtested["auc"]) == (2, 1.0, 0.0)


def test_labels_without_probabilities_are_compared_as_classes():
    binary = subject_of("binary", (-1, 1))
    served = {RequestPosition(0, 0): VersionOutput("r-0", 1, ({"label": -1, "margin": -0.4},))}
    new = {RequestPosition(0, 0): VersionOutput("r-0", 2, ({"label": 1, "margin": 0.4},))}

    found = compared(served, new, {"r-0": 1}, binary)

    assert (found.task, found.decisions.count, found.shift) == ("multiclass", 1, None)
    assert (found.served["accuracy"], found.backtested["accuracy"]) == (0.0, 1.0)


@pytest.mark.parametrize("odd", ["x", None, [0.5], {"a": 1}, float("nan"), True, 10**400])
def test_outputs_that_are_no_numbers_are_not_compared(odd):
    assert not list(compared_rows(BINARY, said(odd), said(0.4), {}))


def test_outputs_of_every_form_are_read_row_by_row():
    tensor = Tensor(name="probability", shape=(2,), datatype="FP64", data=[0.1, 0.2])
    label = Tensor(name="label", shape=(1,), datatype="BYTES", data=["a"])
    scores = Tensor(name="probabilities", shape=(1, 2), datatype="FP64", data=[0.9, 0.1])

    assert rows_of({"value": 1.0}) == ({"value": 1.0},)
    assert rows_of(({"value": 1.0}, {"value": 2.0})) == ({"value": 1.0}, {"value": 2.0})
    assert rows_of((tensor,)) == ({"probability": 0.1}, {"probability": 0.2})
    assert [one["label"] for one in rows_of((scores, label))] == ["a"]


def backtested(loaded, baseline, *requests):
    """Predict requests with one version, by the engine."""
    names = frozenset({baseline, loaded.card.name})
    engine = InferenceEngine(SingleModelProvider(loaded, names), InferenceSettings((baseline,)))
    scores, batch = BacktestScores(), []
    for offset, request in enumerate(requests):
        value = request if isinstance(request, bytes) else encode(request)
        batch.append(make_record(value, offset, headers=(("deadline", b"1"),)))
    scores.add(batch, engine, names)
    return scores


def ask(**facts):
    return Request(**{"id": "r", "features": {"a": 50, "b": 0}, **facts})


def test_requests_that_ask_the_model_by_any_version_are_answered_by_the_one_on_the_shelf():
    scored = backtested(
        rejecting_model(rejected_value=13, name="new"),
        "old",
        ask(),
        ask(model="old", version=7),
        ask(model="other"),
        ask(features={"a": 13, "b": 0}),
        b"rubbish",
    )

    assert {place.offset for place in scored.outputs} == {0, 1}
    assert scored.outputs[RequestPosition(2, 0)].outputs == ({"probability": 0.5},)
    assert (scored.refused, scored.requests) == ({"no_output": 1}, 5)


def test_every_request_that_is_not_compared_is_counted_with_its_reason():
    scored = backtested(
        rejecting_model(rejected_value=13, name="new"),
        "old",
        ask(),
        ask(),
        *(ask(model="echo") for _ in range(2000)),
        ask(features={"a": 13, "b": 0}),
        b"rubbish",
    )

    unmatched = scored.unmatched({RequestPosition(2, 0)})

    assert unmatched == {"other_model": 2000, "unreadable": 1, "refused": 1, "no_prediction": 1}
    assert sum(unmatched.values()) + 1 == scored.requests


def test_a_deadline_that_has_passed_since_does_not_matter():
    assert len(backtested(iris_model("m"), "m", ask()).outputs) == 1


def test_a_model_that_is_not_in_question_is_not_on_the_shelf():
    with pytest.raises(ModelNotFound):
        SingleModelProvider(iris_model("m"), frozenset({"m"})).get("n")


@pytest.fixture
def outcome():
    served, new = said(0.1, 0.6), said(0.7, 0.6)
    found = list(compared_rows(BINARY, served, new, {"r-0": True}))
    return BacktestResult(
        card=make_card("m", 2),
        baseline="m",
        requests=3,
        answered=2,
        refused={"no_output": 1},
        unmatched={"other_model": 2000, "unreadable": 0, "refused": 1, "no_prediction": 0},
        rows=found,
        comparison=compare(BINARY, found, 0.5),
    )


def test_compared_rows_are_written_as_csv_or_as_json_lines(outcome, tmp_path):
    write_rows(tmp_path / "rows.csv", rows_with_differences(outcome, 0.5))
    write_rows(tmp_path / "rows.jsonl", rows_with_differences(outcome, 0.5))

    with (tmp_path / "rows.csv").open() as file:
        first, second = csv.DictReader(file)
    assert (first["id"], first["partition"], first["offset"]) == ("r-0", "0", "0")
    assert (first["is_changed"], second["is_changed"]) == ("True", "False")
    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [line["difference"] for line in lines] == [pytest.approx(0.6), 0.0]
    assert [line["label"] for line in lines] == [True, None]


def test_a_result_is_printed_as_tables_or_as_json(outcome, capsys):
    print_result(outcome, 0.5, as_json=False)
    shown = capsys.readouterr().out
    print_result(outcome, 0.5, as_json=True)
    found = json.loads(capsys.readouterr().out)

    assert shown.startswith("m 2 against m 1")
    assert "decisions that differ" in shown
    assert "other model" in shown
    assert found["unmatched"] == 2001
    assert (found["decisions"]["count"], found["rows"], found["refused"]) == (
        1,
        2,
        {"no_output": 1},
    )
