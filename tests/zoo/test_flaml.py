"""The search by FLAML, which `make zoo` installs."""

from dataclasses import replace

import pytest

from modstream.models.training.train import train
from tests.models.training.training_datasets import (
    NUMBERS,
    QUICK_SETTINGS,
    ignore_progress,
    make_dataset,
)

pytestmark = pytest.mark.boosting


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_flaml_searches_and_its_models_are_exported(task):
    pytest.importorskip("flaml.automl")
    settings = replace(QUICK_SETTINGS, searcher="flaml", budget_seconds=4.0)

    found = train(make_dataset(task=task, schema=NUMBERS), settings, ignore_progress)

    assert "boosting" in {one.kind for one in found.trials}
    assert found.spec.runtime == "onnx"
    assert found.metric in found.metrics
