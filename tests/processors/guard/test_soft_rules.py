"""Rows that are valid and yet suspicious."""

from random import Random

import pytest

from modstream.broker.wire.contracts import Feedback, Scored
from modstream.models.schema.input_schema import InputSchema
from modstream.processors.guard.soft_rules import LossBound, Outliers, surprise
from modstream.processors.learn.settings import GuardSettings
from tests.processors.small_fixtures import NUMBERS, SCHEMA, card

SETTINGS = GuardSettings(window=200, fewest=50)


def told(label, model="m", **outputs):
    scored = Scored(model=model, version=1, outputs=outputs)
    return Feedback(id="r", label=label, predictions=(scored,), event_time=0, label_time=1)


def numbers(count, seed=3):
    random = Random(seed)
    return [{"a": random.gauss(0, 1), "b": random.gauss(1000, 10)} for _ in range(count)]


def test_the_farthest_number_of_a_row_is_named():
    outliers = Outliers(card(schema=NUMBERS), SETTINGS)
    outliers.add(NUMBERS.batch(numbers(200)).batch)

    found = outliers.suspects(NUMBERS.batch([{"a": 0.5, "b": 1001}, {"a": 1000, "b": 0.5}]).batch)

    assert list(found) == [1]
    assert found[1][0] == "outlier"
    assert found[1][1].startswith("a is 1000")


@pytest.mark.parametrize("schema", [SCHEMA, NUMBERS])
def test_a_bound_of_nothing_is_no_bound(schema):
    outliers = Outliers(card(schema=schema), GuardSettings(outlier=0))
    rows = [{"x": 999.0, "a": 1e9, "b": 1e9, "city": "JFK"}]

    assert outliers.suspects(schema.batch(rows).batch) == {}
    assert LossBound(card(), GuardSettings(loss=0)).suspects([told(True)], [True]) == {}


def test_a_detector_of_anomalies_is_shown_outliers():
    outliers = Outliers(card(schema=NUMBERS, task="anomaly", classes=()), SETTINGS)
    outliers.add(NUMBERS.batch(numbers(200)).batch)

    assert outliers.suspects(NUMBERS.batch([{"a": 1000, "b": 0.5}]).batch) == {}


def test_a_model_without_numbers_has_no_outliers():
    words = InputSchema.model_validate({"features": [{"name": "city", "kind": "string"}]})
    outliers, batch = Outliers(card(schema=words), SETTINGS), words.batch([{"city": "JFK"}]).batch

    outliers.add(batch)

    assert outliers.suspects(batch) == {}


def test_a_label_that_was_held_to_be_impossible_is_suspicious():
    rows = [told(True, probability=p) for p in (0.5, 1e-3, 1e-9, 0.0)]

    found = LossBound(card(), SETTINGS).suspects(rows, [True] * 4)

    assert {index: rule for index, (rule, _) in found.items()} == {2: "loss", 3: "loss"}


def test_the_loss_is_that_of_the_own_model_or_else_of_the_first_of_the_route():
    bound, sure, unsure = LossBound(card(name="m"), SETTINGS), {"probability": 1e-9}, 0.5
    both = told(True, "other", **sure)
    own = Scored(model="m", version=1, outputs={"probability": unsure})

    assert list(bound.suspects([both], [True])) == [0]
    assert not bound.suspects(
        [both.model_copy(update={"predictions": (*both.predictions, own)})], [True]
    )


@pytest.mark.parametrize(
    ("task", "classes", "answer", "label", "loss"),
    [
        ("binary", (False, True), {"probability": 0.25}, True, 1.386),
        ("binary", (False, True), {"probability": 0.25}, False, 0.288),
        ("binary", (), {"probability": 0.25}, True, 1.386),
        ("binary", (0, 1), {"probability": 0.25}, 0, 0.288),
        ("multiclass", ("a", "b"), {"probabilities": {"a": 0.5, "b": 0.5}}, "b", 0.693),
        ("multiclass", ("a", "b"), {"label": "a"}, "b", 0.0),
        ("binary", (False, True), {"probability": None}, True, 0.0),
    ],
)
def test_surprise_is_the_negative_log_likelihood(task, classes, answer, label, loss):
    assert surprise(card(task=task, classes=classes), answer, label) == pytest.approx(
        loss, abs=1e-3
    )


def test_a_regression_error_is_held_against_the_bulk_of_recent_errors():
    random = Random(5)
    bound = LossBound(card(schema=NUMBERS, task="regression", classes=()), SETTINGS)
    usual = [random.gauss(0, 2) for _ in range(150)]
    bound.suspects([told(0.0, value=error) for error in usual], [0.0] * 150)

    rows = [told(1.0, value=2.5), told(500.0, value=2.5), told(1.0), told(1.0, value=float("nan"))]
    found = bound.suspects(rows, [1.0, 500.0, 1.0, 1.0])

    assert list(found) == [1]
