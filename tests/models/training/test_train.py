"""Search, test and acceptance of a challenger."""

import random
from dataclasses import replace

import numpy as np
import pytest

from modstream.models.runtimes.runtime import load
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.input_schema import InputSchema
from modstream.models.training.acceptance import (
    ConfidenceInterval,
    compare_with_champion,
    find_rejection_reasons,
)
from modstream.models.training.dataset import split_by_time
from modstream.models.training.errors import TooFewRows, UnknownMetric
from modstream.models.training.train import train
from tests.models.training.training_datasets import (
    NUMBERS,
    QUICK_SETTINGS,
    SCHEMA,
    ignore_progress,
    make_dataset,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained():
    return train(make_dataset(), QUICK_SETTINGS, ignore_progress)


@pytest.mark.slow
def test_every_kind_of_model_and_two_ensembles_are_tried(trained):
    assert {one.kind for one in trained.trials} == {
        *("logistic", "forest", "boosting"),
        *("average", "stack"),
    }
    scores = [one.mean_score for one in trained.trials]
    assert scores == sorted(scores, reverse=True)
    assert all(len(one.scores) == 2 for one in trained.trials)


@pytest.mark.slow
def test_a_good_challenger_is_accepted(trained):
    assert trained.is_accepted
    assert (trained.metric, trained.gain) == ("auc", None)
    assert trained.metrics["auc"] > 0.9
    assert trained.spec.metrics["trained_on"] == 240


def test_the_exported_model_predicts_as_tested(trained):
    _, newest = split_by_time(make_dataset(), QUICK_SETTINGS)
    spec, artifact = trained.spec, trained.artifact

    found = load(Artifact(artifact), spec.make_card(2, Artifact(artifact))).predict(newest.batch)

    assert (spec.runtime, spec.parent, spec.classes) == ("onnx", 1, (False, True))
    np.testing.assert_allclose(found, trained.predictions, atol=1e-4)


@pytest.mark.parametrize(
    ("task", "metric", "good"), [("multiclass", "accuracy", 0.5), ("regression", "r2", 0.8)]
)
def test_multiclass_and_regression_models_are_trained(task, metric, good):
    steps = []

    found = train(
        make_dataset(task=task, schema=NUMBERS),
        replace(QUICK_SETTINGS, trials=1),
        lambda *step: steps.append(step),
    )

    assert found.metric == metric
    assert found.metrics[metric] > good
    artifact = Artifact(found.artifact)
    assert load(artifact, found.spec.make_card(2, artifact)).name == "onnx"
    assert steps[-1] == ("testing the best", 1.0)


def test_too_few_rows_are_rejected_before_the_search():
    steps = []

    with pytest.raises(TooFewRows):
        train(make_dataset(50), QUICK_SETTINGS, lambda *step: steps.append(step))

    assert steps == []


def test_a_metric_of_another_task_is_rejected():
    with pytest.raises(UnknownMetric, match="'r2' is not a metric of this task: use auc, log_loss"):
        train(make_dataset(), replace(QUICK_SETTINGS, metric="r2"), ignore_progress)


@pytest.mark.parametrize(
    ("metric", "value", "threshold", "is_rejected"),
    [
        ("auc", 0.7, 0.8, True),
        ("auc", 0.8, 0.8, False),
        ("mae", 3.0, 2.0, True),
        ("mae", 2.0, 2.0, False),
        ("auc", 0.1, None, False),
    ],
)
def test_a_threshold_is_a_lower_or_an_upper_bound(metric, value, threshold, is_rejected):
    reasons = find_rejection_reasons({metric: value}, metric, threshold, None)

    assert bool(reasons) is is_rejected


def test_an_undefined_metric_is_a_rejection_reason():
    (reason,) = find_rejection_reasons({"mae": 0.0}, "r2", None, None)

    assert reason.startswith("r2 is undefined on the test rows")


def test_a_significantly_better_champion_rejects_the_challenger():
    whole = make_dataset(200)
    served = [0.9 if label else 0.1 for label in whole.labels]
    draw = random.Random(0)
    predictions = [draw.random() for _ in served]

    champion, challenger, gain = compare_with_champion(
        replace(whole, served=served), predictions, "auc", QUICK_SETTINGS
    )

    assert (champion["auc"], gain.high < 0) == (1.0, True)
    (reason,) = find_rejection_reasons(challenger, "auc", None, gain)
    assert reason.startswith("the champion's auc is better by 0.")


def test_an_insignificant_difference_is_not_a_rejection_reason():
    whole = make_dataset(100)
    draw = random.Random(0)
    served, predictions = ([draw.random() for _ in whole.labels] for _ in range(2))

    _, _, gain = compare_with_champion(
        replace(whole, served=served), predictions, "auc", QUICK_SETTINGS
    )

    assert gain.low < 0 < gain.high
    assert find_rejection_reasons({"auc": 0.5}, "auc", None, gain) == []


def test_a_smaller_error_is_a_gain():
    whole = make_dataset(100, task="regression", schema=NUMBERS)
    served = [float(label) + 1 for label in whole.labels]

    _, _, gain = compare_with_champion(
        replace(whole, served=served), list(whole.labels), "mae", QUICK_SETTINGS
    )

    assert gain == pytest.approx(ConfidenceInterval(1.0, 1.0))


def test_a_champion_with_few_predictions_is_not_compared():
    whole = make_dataset(100)
    served = [0.5] * 10 + [None] * 90

    assert compare_with_champion(
        replace(whole, served=served), [0.5] * 100, "auc", QUICK_SETTINGS
    ) == ({}, {}, None)


@pytest.mark.parametrize("missing", [("a",), ("s",), ("a", "s")], ids="-".join)
def test_missing_values_are_trained_and_predicted(missing):
    schema = InputSchema(
        features=tuple(
            feature.model_copy(update={"missing": feature.name in missing})
            for feature in SCHEMA.features
        )
    )
    whole = make_dataset()
    rows = [
        {name: None if name in missing and n % 5 == 0 else one for name, one in row.items()}
        for n, row in enumerate(whole.batch.rows())
    ]
    card = whole.card.model_copy(update={"input_schema": schema})
    dataset = replace(whole, card=card, batch=schema.parse_rows(rows).batch)

    result = train(dataset, replace(QUICK_SETTINGS, trials=1), ignore_progress)

    assert result.metrics["auc"] > 0.8
    spec, artifact = result.spec, Artifact(result.artifact)
    found = load(artifact, spec.make_card(2, artifact)).predict(dataset.batch)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("classes", [(1, 2), (-1, 1), ("no", "yes"), (0.5, 1.5)])
def test_a_challenger_keeps_the_classes_of_its_champion(classes):
    whole = make_dataset(schema=NUMBERS)
    card = whole.card.model_copy(update={"classes": classes})
    labels = [classes[int(one)] for one in whole.labels]

    result = train(
        replace(whole, card=card, labels=labels), replace(QUICK_SETTINGS, trials=1), ignore_progress
    )

    assert result.spec.classes == classes
    assert result.metrics["auc"] > 0.8
    assert set(result.labels) == {0, 1}
