"""What may be trained from, and how time divides it."""

from collections import Counter

import pytest

from modstream.models.errors import NoFold, NotTrainable, TooFewOfClass, TooFewRows, TooManyBroken
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.training.dataset import Labelled, check, folds, split
from modstream.models.training.settings import TrainSettings
from tests.models.training.training_tables import CLASSES, QUICK, card_of, table


def labelled(labels, task="binary"):
    schema = InputSchema(features=(Feature(name="n", kind="int"),))
    batch = schema.batch([{"n": place} for place in range(len(labels))]).batch
    return Labelled(card_of(task, schema), batch, labels, [None] * len(labels), Counter())


def test_good_rows_pass():
    check(table(), QUICK)


@pytest.mark.parametrize("task", ["anomaly", "forecast"])
def test_models_that_learn_online_only_are_not_trained(task):
    with pytest.raises(NotTrainable, match=f"m is a model for {task}: such models learn online"):
        check(table(task=task), QUICK)


def test_too_few_rows_are_refused():
    with pytest.raises(TooFewRows, match="there are 99 labelled rows, at least 100 are needed"):
        check(table(99), QUICK)


def test_too_many_broken_rows_are_refused_with_the_rules_that_they_break():
    broken = Counter(not_finite=30, label_domain=10)

    with pytest.raises(
        TooManyBroken, match="40 of 340 labelled rows are broken: not_finite 30, label_domain 10"
    ):
        check(table(refused=broken), QUICK)


def test_a_few_broken_rows_are_no_reason():
    check(table(refused=Counter(not_finite=30)), QUICK)


def test_a_class_that_is_too_rare_is_refused():
    with pytest.raises(TooFewOfClass, match="class True has 5 rows, at least 10 are needed"):
        check(labelled([False] * 300 + [True] * 5), QUICK)


def test_the_newest_rows_are_held_back():
    older, newest = split(labelled([False, True] * 50), TrainSettings(held_back=0.2))

    assert older.batch.columns["n"].tolist() == list(range(80))
    assert newest.batch.columns["n"].tolist() == list(range(80, 100))


def test_a_class_that_never_came_lately_cannot_be_tested():
    with pytest.raises(TooFewOfClass, match="class True has 0 rows"):
        split(labelled([False, True] * 40 + [False] * 20), TrainSettings(held_back=0.2))


def test_every_fold_is_scored_on_later_rows_than_it_was_fitted_on():
    found = folds(labelled([False, True] * 50), 4)

    assert len(found) == 4
    assert all(fitted.max() < scored.min() for fitted, scored in found)


def test_folds_that_do_not_teach_every_class_are_left_out():
    labels = ["low", "mid"] * 30 + ["low", "mid", "high"] * 20

    assert len(folds(labelled(labels, "multiclass"), 4)) == 2


def test_classes_that_only_come_at_the_end_leave_no_fold():
    with pytest.raises(NoFold, match="in none of 2 folds were all classes seen"):
        folds(labelled([False] * 80 + [True] * 20), 2)


def test_classes_become_their_places_and_values_stay():
    assert labelled(list(CLASSES["multiclass"]), "multiclass").targets().tolist() == [0, 1, 2]
    assert labelled([False, True]).truths() == [0, 1]
    assert labelled([1.5, -2.0], "regression").targets().tolist() == [1.5, -2.0]
