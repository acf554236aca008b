"""Collection of labelled rows from feedback, and the report of a retraining."""

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.broker.wire.records import Record
from modstream.cli.train import override_train_settings
from modstream.models.training.acceptance import ConfidenceInterval
from modstream.models.training.train import train
from modstream.registry.access import newest_learning_version
from modstream.retrain.collect import collect
from modstream.retrain.page import render_training_page
from modstream.retrain.plots import predicted_class, predicted_probabilities, reliability_bins
from modstream.settings import load_settings
from tests.models.training.training_datasets import (
    NUMBERS,
    QUICK_SETTINGS,
    card_of,
    ignore_progress,
    make_dataset,
)
from tests.modstream.report.test_report import Outline

CARD = card_of("binary", NUMBERS)


def feedback(number, *, label=True, features=None, model="m", **fields):
    outputs = fields.get("outputs", {"probability": 0.75})
    message = Feedback(
        id=fields.get("id", f"r{number}"),
        label=label,
        features={"a": float(number), "b": number} if features is None else features or None,
        predictions=(JoinedPrediction(model=model, version=1, outputs=outputs),),
        event_time=fields.get("event_time", number),
        label_time=number + 100,
    )
    return Record("s.feedback", 0, number, b"k", encode(message), (), 0)


def test_rows_are_in_the_order_of_their_requests():
    found = collect([feedback(2), feedback(1, label=False), feedback(3)], CARD, max_rows=10)

    assert found.batch.columns["b"].tolist() == [1, 2, 3]
    assert list(found.labels) == [False, True, True]


def test_only_the_newest_rows_are_used():
    assert collect(map(feedback, range(100)), CARD, max_rows=5).batch.columns["b"].tolist() == [
        *range(95, 100)
    ]


def test_rejected_rows_are_counted_by_rule():
    bad = [
        feedback(1, features={"a": "much", "b": 1}),
        feedback(2, features={"a": 1.0}),
        feedback(3, label="maybe"),
        Record("s.feedback", 0, 4, b"k", b"{", (), 0),
    ]

    found = collect([feedback(0), *bad], CARD, max_rows=10)

    assert found.rejected == Counter(wrong_type=1, missing_feature=1, label_domain=1, undecodable=1)
    assert len(found.labels) == 1


def test_predictions_and_features_of_one_id_are_merged_from_several_records():
    records = [
        feedback(1, model="other"),
        feedback(1, features={}, outputs={"probability": 0.25}),
        feedback(2, model="other"),
    ]

    found = collect(records, CARD, max_rows=10)

    assert list(found.served) == [0.25, None]


def test_rows_of_another_model_are_skipped():
    records = [feedback(1), feedback(2, features={"z": 1}, model="other")]

    found = collect(records, CARD, max_rows=10)

    assert (len(found.labels), found.rejected.total()) == (1, 0)


def test_an_id_without_features_gives_no_row():
    assert collect([feedback(1, features={})], CARD, max_rows=10).batch.size == 0


def test_a_revised_label_replaces_the_earlier_one():
    revised = Feedback(
        id="r1", label=False, revises=True, event_time=1, label_time=9,
        predictions=(JoinedPrediction(model="m", version=1, outputs={"probability": 0.25}),),
    )  # fmt: skip
    records = [feedback(1), Record("s.feedback", 0, 2, b"k", encode(revised), (), 0)]

    found = collect(records, CARD, max_rows=10)

    assert (list(found.labels), list(found.served)) == ([False], [0.25])


def test_rows_of_one_request_are_rows_of_their_own():
    records = []
    for row in range(3):
        message = decode(Feedback, feedback(7).value).model_copy(update={"row": row})
        records.append(Record("s.feedback", 0, row, b"k", encode(message), (), 0))

    assert collect(records, CARD, max_rows=10).batch.size == 3


def test_the_memory_of_the_rows_is_bounded(monkeypatch):
    monkeypatch.setattr("modstream.retrain.collect.MAX_BUFFER_BYTES", 200_000)
    large = [
        feedback(number, features={"a": 1.0, "b": number, "junk": "x" * 50_000})
        for number in range(20)
    ]

    found = collect(large, CARD, max_rows=20)

    assert found.batch.columns["b"].tolist() == [17, 18, 19]


@pytest.mark.parametrize(
    ("classes", "labels", "targets"),
    [
        ((1, 2), [1, 2, 1.0, 3], [0, 1, 0]),
        ((-1, 1), [-1, 1, 0], [0, 1]),
        (("no", "yes"), ["no", "yes", 1], [0, 1]),
    ],
)
def test_labels_are_read_by_the_classes_of_the_card(classes, labels, targets):
    known = CARD.model_copy(update={"classes": classes})
    records = [feedback(number, label=label) for number, label in enumerate(labels)]

    found = collect(records, known, max_rows=10)

    assert found.targets().tolist() == found.metric_labels() == targets
    assert found.rejected == Counter(label_domain=1)


@pytest.mark.parametrize("odd", ["x", None, [1], {"a": 1}, True])
def test_odd_outputs_are_no_served_predictions(odd):
    found = collect([feedback(1, outputs={"probability": odd})], CARD, max_rows=10)

    assert list(found.served) == [None]


@pytest.fixture(scope="module")
def trained():
    return train(make_dataset(schema=NUMBERS), replace(QUICK_SETTINGS, trials=1), ignore_progress)


@pytest.mark.parametrize("is_accepted", [True, False])
def test_the_page_is_well_formed_and_shows_the_verdict(trained, is_accepted):
    reasons = () if is_accepted else ("auc is 0.5000, but at least 0.9 & more",)
    result = replace(trained, rejection_reasons=reasons, gain=ConfidenceInterval(-0.01, 0.02))

    dataset = make_dataset(schema=NUMBERS, rejected=Counter(not_finite=3))
    document = render_training_page(dataset, result, QUICK_SETTINGS)

    outline = Outline(document)
    assert outline.open == []
    assert outline.tags.count("svg") == 2
    assert ("ACCEPTED" in document) is is_accepted
    assert ("REJECTED" in document) is not is_accepted
    assert "rejected: not finite 3" in document
    assert "better than the champion by -0.0100 to +0.0200" in document
    assert "0.9 &amp; more" in document or is_accepted


def test_a_regression_page_shows_errors_instead_of_classes():
    dataset = make_dataset(task="regression", schema=NUMBERS)

    result = train(dataset, replace(QUICK_SETTINGS, trials=1), ignore_progress)
    document = render_training_page(dataset, result, QUICK_SETTINGS)

    assert "Predictions against labels" in document
    assert "Confusion" not in document


def test_calibration_compares_predicted_probabilities_with_observed_shares(trained):
    predicted, observed = reliability_bins(np.array([0.11, 0.19, 0.9]), np.array([0.0, 1.0, 1.0]))
    assert (predicted, observed) == (pytest.approx([0.15, 0.9]), [0.5, 1.0])

    predicted, observed = predicted_probabilities(trained)
    assert (predicted.shape, set(observed.tolist())) == ((60,), {0.0, 1.0})


def test_the_predicted_class_is_the_most_likely_one():
    assert predicted_class(0.5) == 1
    assert predicted_class({"0": 0.2, "1": 0.5, "2": 0.3}) == 1


def test_command_options_override_the_settings(monkeypatch):
    monkeypatch.setenv("MODSTREAM_TRAIN__THRESHOLD", "0.7")
    monkeypatch.setenv("MODSTREAM_TRAIN__FOLDS", "3")

    found = override_train_settings(load_settings(), {"threshold": 0.8, "trials": None}).train

    assert (found.threshold, found.folds, found.trials) == (0.8, 3, 60)


@dataclass
class RegistryStub:
    """A registry of a few cards."""

    cards: list = field(default_factory=list)

    def newest(self, _name):
        return self.cards[-1] if self.cards else None

    def versions(self, _name):
        return self.cards


def test_a_learner_skips_challengers_that_cannot_learn():
    first, second = CARD, CARD.model_copy(update={"version": 2})
    challenger = CARD.model_copy(update={"version": 3, "runtime": "onnx"})

    assert newest_learning_version(RegistryStub([first, second, challenger]), "m") == second
    assert newest_learning_version(RegistryStub([challenger]), "m") == challenger
    assert newest_learning_version(RegistryStub(), "m") is None
