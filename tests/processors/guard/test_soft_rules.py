"""Soft rules: valid rows that are unlikely."""

from random import Random

import pytest

from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.models.schema.class_labels import ClassLabels
from modstream.models.schema.input_schema import InputSchema
from modstream.processors.guard.settings import GuardSettings
from modstream.processors.guard.soft_rules import LossRule, OutlierRule, negative_log_likelihood
from tests.processors.small_fixtures import SCHEMA, TWO_FLOATS, make_card

SETTINGS = GuardSettings(window=200, min_rows=50)


def feedback(label, model="m", **outputs):
    prediction = JoinedPrediction(model=model, version=1, outputs=outputs)
    return Feedback(id="r", label=label, predictions=(prediction,), event_time=0, label_time=1)


def numbers(count, seed=3):
    random = Random(seed)
    return [{"a": random.gauss(0, 1), "b": random.gauss(1000, 10)} for _ in range(count)]


def test_the_farthest_feature_of_a_row_is_named():
    rule = OutlierRule(make_card(schema=TWO_FLOATS), SETTINGS)
    rule.add(TWO_FLOATS.parse_rows(numbers(200)).batch)

    found = rule.check(TWO_FLOATS.parse_rows([{"a": 0.5, "b": 1001}, {"a": 1000, "b": 0.5}]).batch)

    assert list(found) == [1]
    assert found[1][0] == "outlier"
    assert found[1][1].startswith("a is 1000")


@pytest.mark.parametrize("schema", [SCHEMA, TWO_FLOATS])
def test_a_limit_of_0_switches_a_rule_off(schema):
    rule = OutlierRule(make_card(schema=schema), GuardSettings(outlier_deviations=0))
    rows = [{"x": 999.0, "a": 1e9, "b": 1e9, "city": "JFK"}]

    assert rule.check(schema.parse_rows(rows).batch) == {}
    assert LossRule(make_card(), GuardSettings(max_loss=0)).check([feedback(True)], [True]) == {}


def test_an_anomaly_detector_learns_outliers():
    rule = OutlierRule(make_card(schema=TWO_FLOATS, task="anomaly", classes=()), SETTINGS)
    rule.add(TWO_FLOATS.parse_rows(numbers(200)).batch)

    assert rule.check(TWO_FLOATS.parse_rows([{"a": 1000, "b": 0.5}]).batch) == {}


def test_a_model_without_numbers_has_no_outliers():
    strings = InputSchema.model_validate({"features": [{"name": "city", "kind": "string"}]})
    rule = OutlierRule(make_card(schema=strings), SETTINGS)
    batch = strings.parse_rows([{"city": "JFK"}]).batch

    rule.add(batch)

    assert rule.check(batch) == {}


def test_a_label_predicted_to_be_almost_impossible_is_unlikely():
    rows = [feedback(True, probability=p) for p in (0.5, 1e-3, 1e-9, 0.0)]

    found = LossRule(make_card(), SETTINGS).check(rows, [True] * 4)

    assert {index: rule for index, (rule, _) in found.items()} == {2: "loss", 3: "loss"}


def knows(*cards):
    """Return a lookup of the classes in some cards."""
    versions = VersionClasses()
    for card in cards:
        versions.add(card)
    return versions


def test_the_loss_is_that_of_the_own_model_else_of_the_routes_first():
    versions = knows(make_card(name="other"))
    rule = LossRule(make_card(name="m"), SETTINGS, versions)
    certain, unsure = {"probability": 1e-9}, 0.5
    both = feedback(True, "other", **certain)
    own = JoinedPrediction(model="m", version=1, outputs={"probability": unsure})

    assert list(rule.check([both], [True])) == [0]
    assert not rule.check(
        [both.model_copy(update={"predictions": (*both.predictions, own)})], [True]
    )


@pytest.mark.parametrize(
    "versions",
    [knows(), knows(make_card(name="other", classes=("no", "yes")))],
    ids=["unknown", "other classes"],
)
def test_another_models_outputs_count_only_if_its_classes_are_the_same(versions):
    rule = LossRule(make_card(name="m"), SETTINGS, versions)

    assert rule.check([feedback(True, "other", probability=1e-9)], [True]) == {}


@pytest.mark.parametrize(
    ("task", "classes", "answer", "label", "loss"),
    [
        ("binary", (False, True), {"probability": 0.25}, True, 1.386),
        ("binary", (False, True), {"probability": 0.25}, False, 0.288),
        ("binary", (), {"probability": 0.25}, True, 1.386),
        ("binary", (0, 1), {"probability": 0.25}, 0, 0.288),
        ("binary", (1, 2), {"probability": 0.25}, 1, 0.288),
        ("binary", (1, 2), {"probability": 0.25}, 2, 1.386),
        ("multiclass", (1, 2, 3), {"probabilities": {"1": 0.5, "2": 0.5}}, 1.0, 0.693),
        ("multiclass", ("a", "b"), {"probabilities": {"a": 0.5, "b": 0.5}}, "b", 0.693),
        ("multiclass", ("a", "b"), {"label": "a"}, "b", 0.0),
        *(
            ("binary", (False, True), {"probability": odd}, True, 0.0)
            for odd in (None, "x", [0.5], {"a": 1}, True, -0.1, 10**400, float("nan"))
        ),
        ("multiclass", ("a", "b"), {"probabilities": [0.5, 0.5]}, "b", 0.0),
        ("multiclass", ("a", "b"), {"probabilities": {"b": "x"}}, "b", 0.0),
    ],
    ids=lambda value: str(value)[:20] if not isinstance(value, dict) else "outputs",
)
def test_the_negative_log_likelihood_depends_on_the_task(task, classes, answer, label, loss):
    known = ClassLabels.of(task, classes)

    assert negative_log_likelihood(known, answer, label) == pytest.approx(loss, abs=1e-3)


def test_a_regression_error_is_compared_with_recent_errors():
    random = Random(5)
    rule = LossRule(make_card(schema=TWO_FLOATS, task="regression", classes=()), SETTINGS)
    errors = [random.gauss(0, 2) for _ in range(150)]
    rule.check([feedback(0.0, value=error) for error in errors], [0.0] * 150)

    rows = [
        feedback(1.0, value=2.5),
        feedback(500.0, value=2.5),
        feedback(1.0),
        feedback(1.0, value=float("nan")),
        feedback(1.0, value=[1.0]),
        feedback(1.0, value="x"),
    ]
    found = rule.check(rows, [1.0, 500.0, 1.0, 1.0, 1.0, 1.0])

    assert list(found) == [1]
