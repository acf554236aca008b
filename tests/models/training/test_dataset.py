"""Checks before a training, and splits by time."""

from collections import Counter

import pytest

from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.training.dataset import (
    LabelledDataset,
    check_trainable,
    split_by_time,
    time_series_folds,
)
from modstream.models.training.errors import (
    NotTrainable,
    NoUsableFold,
    TooFewRows,
    TooFewRowsOfClass,
    TooManyRejectedRows,
)
from modstream.models.training.settings import TrainSettings
from tests.models.training.training_datasets import CLASSES, QUICK_SETTINGS, card_of, make_dataset


def dataset_of(labels, task="binary"):
    schema = InputSchema(features=(Feature(name="n", kind="int"),))
    batch = schema.parse_rows([{"n": number} for number in range(len(labels))]).batch
    return LabelledDataset(card_of(task, schema), batch, labels, [None] * len(labels), Counter())


def test_sufficient_rows_pass():
    check_trainable(make_dataset(), QUICK_SETTINGS)


@pytest.mark.parametrize("task", ["anomaly", "forecast"])
def test_tasks_that_learn_online_only_are_rejected(task):
    with pytest.raises(NotTrainable, match=f"m is a model for {task}: such models are not trained"):
        check_trainable(make_dataset(task=task), QUICK_SETTINGS)


def test_too_few_rows_are_rejected():
    with pytest.raises(TooFewRows, match="there are 99 labelled rows, at least 100 are needed"):
        check_trainable(make_dataset(99), QUICK_SETTINGS)


def test_too_many_rejected_rows_stop_the_training():
    broken = Counter(not_finite=30, label_domain=10)

    with pytest.raises(
        TooManyRejectedRows,
        match="40 of 340 labelled rows were rejected: not_finite 30, label_domain 10",
    ):
        check_trainable(make_dataset(rejected=broken), QUICK_SETTINGS)


def test_a_few_rejected_rows_do_not_stop_the_training():
    check_trainable(make_dataset(rejected=Counter(not_finite=30)), QUICK_SETTINGS)


def test_a_rare_class_stops_the_training():
    with pytest.raises(TooFewRowsOfClass, match="class True has 5 rows, at least 10 are needed"):
        check_trainable(dataset_of([False] * 300 + [True] * 5), QUICK_SETTINGS)


def test_the_newest_rows_are_the_test_rows():
    older, newest = split_by_time(dataset_of([False, True] * 50), TrainSettings(test_share=0.2))

    assert older.batch.columns["n"].tolist() == list(range(80))
    assert newest.batch.columns["n"].tolist() == list(range(80, 100))


def test_a_class_missing_from_the_test_rows_stops_the_training():
    with pytest.raises(TooFewRowsOfClass, match="class True has 0 rows"):
        split_by_time(dataset_of([False, True] * 40 + [False] * 20), TrainSettings(test_share=0.2))


def test_every_fold_is_scored_on_rows_after_those_it_is_fitted_on():
    found = time_series_folds(dataset_of([False, True] * 50), 4)

    assert len(found) == 4
    assert all(fitted.max() < scored.min() for fitted, scored in found)


def test_folds_without_every_class_to_fit_on_are_left_out():
    labels = ["low", "mid"] * 30 + ["low", "mid", "high"] * 20

    assert len(time_series_folds(dataset_of(labels, "multiclass"), 4)) == 3


def test_a_class_that_appears_only_at_the_end_leaves_no_fold():
    with pytest.raises(NoUsableFold, match="none of the 2 time-ordered folds has at least 3"):
        time_series_folds(dataset_of([False] * 80 + [True] * 20), 2)


def test_classes_become_indices_and_regression_labels_stay_values():
    assert dataset_of(list(CLASSES["multiclass"]), "multiclass").targets().tolist() == [0, 1, 2]
    assert dataset_of([False, True]).metric_labels() == [0, 1]
    assert dataset_of([1.5, -2.0], "regression").targets().tolist() == [1.5, -2.0]
