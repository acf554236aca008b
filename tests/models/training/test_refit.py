"""The refit of a candidate by itself: one recipe, all rows, missing numbers, no better champion."""

from dataclasses import replace

import numpy as np
import pytest

from modstream.models.runtimes.runtime import load
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.training.train import train
from tests.models.training.training_datasets import QUICK_SETTINGS, ignore_progress, make_dataset

pytestmark = pytest.mark.slow
REFIT = replace(QUICK_SETTINGS, trials=1, fit_all=True, compare_champion=False)


def dataset_with_missing(size=300, **overrides):
    """Return rows of which every third lacks a number."""
    dataset = make_dataset(size, **overrides)
    features = dataset.card.input_schema.features
    schema = InputSchema(features=(*features, Feature(name="rate", kind="float", missing=True)))
    card = dataset.card.model_copy(update={"input_schema": schema})
    rate = np.where(np.arange(size) % 3 == 0, np.nan, np.asarray(dataset.labels, np.float64))
    batch = replace(dataset.batch, columns={**dataset.batch.columns, "rate": rate}, matrix=None)
    return replace(dataset, card=card, batch=batch)


@pytest.fixture(scope="module")
def refitted():
    return train(dataset_with_missing(), REFIT, ignore_progress)


def test_one_trial_is_histogram_boosting(refitted):
    assert [one.kind for one in refitted.trials] == ["boosting"]
    assert refitted.spec.runtime == "onnx"


def test_it_is_fitted_on_all_rows_and_tested_on_the_newest(refitted):
    assert refitted.spec.metrics["trained_on"] == 300
    assert len(refitted.labels) == 60
    before = train(dataset_with_missing(), replace(REFIT, fit_all=False), ignore_progress)
    assert before.metrics == refitted.metrics
    assert before.artifact != refitted.artifact


def test_rows_without_a_number_have_a_prediction(refitted):
    artifact = Artifact(refitted.artifact)
    runtime = load(artifact, refitted.spec.make_card(2, artifact))
    row = {"a": 0.5, "b": 3, "s": "p"}
    rows = [{**row, "rate": rate} for rate in (None, 0.0, 1.0)]
    batch = refitted.spec.input_schema.parse_rows(rows).batch

    missing, low, high = runtime.predict(batch).tolist()

    assert np.isfinite([missing, low, high]).all()
    assert low < high


def test_a_better_champion_rejects_only_a_challenger_that_is_compared_with_it():
    dataset = make_dataset()
    known = replace(dataset, served=[float(label) for label in dataset.labels])
    noise = np.random.default_rng(0).permutation(300)
    bad = replace(known, labels=[dataset.labels[at] for at in noise])
    bad = replace(bad, served=[float(label) for label in bad.labels])

    compared = train(bad, replace(REFIT, compare_champion=True), ignore_progress)
    alone = train(bad, REFIT, ignore_progress)

    assert not compared.is_accepted
    assert "the champion's auc is better" in compared.rejection_reasons[0]
    assert compared.spec.metrics["trained_on"] == 240
    assert alone.is_accepted
    assert alone.gain == compared.gain
