"""The analysis of errors on the rows of the folds."""

from dataclasses import replace

import numpy as np
import pytest

from modstream.models.evaluation.monitoring.features import CategoryColumn
from modstream.models.schema.input_schema import InputSchema
from modstream.models.training.error_analysis import analyse_errors, feature_columns
from modstream.models.training.folds import TimeOrderedFolds
from modstream.models.training.trials import ModelTrial
from tests.models.training.training_datasets import SCHEMA, make_dataset


def trial(kind, outputs):
    return ModelTrial(kind, {}, None, (0.9, 0.8), outputs=np.asarray(outputs, dtype=float))


@pytest.fixture
def dataset():
    return make_dataset(1200)


@pytest.fixture
def folds(dataset):
    return TimeOrderedFolds(dataset, 2, 1)


def test_the_rows_with_the_greatest_errors_come_first(dataset, folds):
    targets = folds.targets[folds.scored_rows]
    outputs = np.where(targets == 1, 0.9, 0.1)
    outputs[7] = 1 - targets[7]

    found = analyse_errors(dataset, folds, trial("boosting", outputs), [])

    row = dataset.batch.take([int(folds.scored_rows[7])]).rows()[0]
    assert found.rows == 600
    assert found.mistakes[0].features == row
    assert found.mistakes[0].predictions["boosting"] == float(1 - targets[7])
    assert found.disagreements == ()


def test_a_slice_in_which_a_model_guesses_is_found(dataset, folds):
    scored = dataset.take(folds.scored_rows)
    targets = folds.targets[folds.scored_rows]
    in_slice = scored.batch.columns["s"] == "q"
    outputs = np.where(in_slice, 0.5, np.where(targets == 1, 0.95, 0.05))

    found = analyse_errors(dataset, folds, trial("boosting", outputs), [])

    assert found.slices[0].name == "s: q"
    assert found.slices[0].loss > 5 * found.slices[0].rest_loss


def test_disagreements_are_between_the_best_models(dataset, folds):
    targets = folds.targets[folds.scored_rows]
    first = np.where(targets == 1, 0.9, 0.1)
    second = first.copy()
    second[11] = 1 - second[11]
    trials = [trial("boosting", first), trial("forest", second)]

    found = analyse_errors(dataset, folds, trials[0], trials)

    assert found.names == ("boosting 1", "forest 2")
    assert found.disagreements[0].predictions["boosting 1"] == first[11]
    assert found.disagreements[0].predictions["forest 2"] == second[11]
    assert found.correlations.shape == (2, 2)
    assert 0 < found.correlations[0, 1] < 1


def test_sensitive_features_are_not_shown(dataset, folds):
    features = [one.model_copy(update={"sensitive": one.name == "s"}) for one in SCHEMA.features]
    schema = InputSchema(features=tuple(features))
    card = dataset.card.model_copy(update={"input_schema": schema})
    hidden = replace(dataset, card=card)

    found = analyse_errors(hidden, folds, trial("forest", np.full(600, 0.5)), [])

    assert set(found.mistakes[0].features) == {"a", "b"}
    assert not any("s:" in one.name for one in found.slices)


def test_texts_become_categories_and_missing_ones_none_of_them():
    dataset = make_dataset(30)
    dataset.batch.columns["s"][3] = None

    column = feature_columns(dataset)["s"]

    assert isinstance(column, CategoryColumn)
    assert column.codes[3] == -1
    assert [column.names[code] for code in column.codes[:3]] == (
        dataset.batch.columns["s"][:3].tolist()
    )
