"""Losses of predictions, and rank errors."""

import numpy as np
import pytest

from modstream.models.errors import PredictError
from modstream.models.schema.input_schema import Batch
from modstream.processors.promote.losses import (
    RankErrors,
    binary_labels,
    losses,
    predict_or_none,
)
from tests.processors.small_fixtures import make_card


def test_the_loss_of_a_binary_prediction_is_the_brier_score():
    found = losses(make_card(), np.array([0.9, 0.2, np.nan]), [True, True, False])

    assert found.tolist() == pytest.approx([0.01, 0.64, 1.0])


def test_the_loss_of_several_classes_is_half_the_brier_score():
    multiclass = make_card(task="multiclass", classes=("a", "b", "c"))

    found = losses(multiclass, np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), ["a", "a"])

    assert found.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("classes", "labels"),
    [((1, 2), [1, 2.0, 3]), ((-1, 1), [-1, 1, 0]), (("no", "yes"), ["no", "yes", 1])],
)
def test_labels_are_compared_by_the_classes_of_the_card(classes, labels):
    binary = make_card(classes=classes)
    multiclass = make_card(task="multiclass", classes=(*classes, "more"))

    assert binary_labels(binary, labels)[:2].tolist() == [0.0, 1.0]
    assert np.isnan(binary_labels(binary, labels)[2])
    assert losses(binary, np.array([0.0, 1.0, 0.5]), labels).tolist() == [0.0, 0.0, 1.0]
    found = losses(
        multiclass, np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]), labels
    )
    assert found.tolist() == [0.0, 1.0, 1.0]


def test_a_label_that_is_no_number_has_the_greatest_loss():
    regression = make_card(task="regression", classes=())

    assert losses(regression, np.array([3.0, 3.0]), [10**400, "x"]).tolist() == [1.0, 1.0]


def test_a_model_of_named_outputs_has_no_scores():
    class Named:
        name = "named"

        def predict_rows(self, batch):
            return [{"label": "a"}] * batch.size

        def snapshot(self):
            return b""

    assert predict_or_none(Named(), Batch({}, 2)) is None


def test_the_loss_of_a_number_is_its_scaled_error_up_to_1():
    regression = make_card(task="regression", classes=())

    assert losses(regression, np.array([3.0, 9.0]), [2.0, 2.0], 4.0).tolist() == [0.25, 1.0]


def test_a_failed_prediction_has_the_greatest_loss():
    class Failing:
        def predict(self, batch):
            raise PredictError("failing", "always")

    outputs = predict_or_none(Failing(), Batch({}, 2))

    assert outputs is None
    assert losses(make_card(), outputs, [True, False]).tolist() == [1.0, 1.0]


def test_the_mean_rank_error_is_one_minus_auc():
    rng = np.random.default_rng(7)
    labels = (rng.random(20_000) < 0.3).astype(float)
    scores = rng.normal(labels, 1.0)

    errors = RankErrors().add(labels, {"a": scores, "b": -scores})

    assert 5000 < len(errors["a"]) < 7000
    assert errors["a"].mean() == pytest.approx(0.24, abs=0.02)
    assert (errors["a"] + errors["b"] == 1).all()


def test_each_row_is_compared_once_and_a_tie_is_half_an_error():
    ranked = RankErrors()

    def errors(labels, *scores):
        return ranked.add(np.array(labels), {"a": np.array(scores)})["a"].tolist()

    assert errors([1.0, 1.0], 0.9, 0.1) == []
    assert errors([0.0, 0.0, 0.0], 0.1, 0.2, 0.3) == [0.5, 0.0]
    assert errors([1.0], 0.2) == [1.0]


def test_a_missing_score_is_ordered_wrongly():
    scores = {"a": np.array([0.9, np.nan]), "b": np.array([np.nan, 0.1])}

    assert {n: e.tolist() for n, e in RankErrors().add(np.array([1.0, 0.0]), scores).items()} == {
        "a": [1.0], "b": [1.0]
    }  # fmt: skip


def test_pairing_restarts_when_the_models_change():
    ranked = RankErrors()
    ranked.add(np.array([1.0]), {"a": np.array([0.9])})

    found = ranked.add(np.array([0.0]), {"a": np.array([0.1]), "b": np.array([0.1])})

    assert [errors.tolist() for errors in found.values()] == [[], []]
