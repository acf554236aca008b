"""Feedback becomes labelled rows, and a retraining a page that tells everything."""

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Feedback, Scored
from modstream.broker.wire.records import Record
from modstream.cli.train import with_train
from modstream.models.training.train import Interval, train
from modstream.registry.access import newest_that_learns
from modstream.retrain.collect import collect
from modstream.retrain.page import page
from modstream.retrain.plots import binned, probabilities, said_class
from modstream.settings import load_settings
from tests.models.training.training_tables import NUMBERS, QUICK, card_of, silent, table
from tests.modstream.report.test_report import Outline

CARD = card_of("binary", NUMBERS)


def feedback(number, *, label=True, features=None, model="m", **fields):
    outputs = fields.get("outputs", {"probability": 0.75})
    message = Feedback(
        id=fields.get("id", f"r{number}"),
        label=label,
        features={"a": float(number), "b": number} if features is None else features or None,
        predictions=(Scored(model=model, version=1, outputs=outputs),),
        event_time=fields.get("event_time", number),
        label_time=number + 100,
    )
    return Record("s.feedback", 0, number, b"k", encode(message), (), 0)


def test_rows_come_in_the_order_of_their_requests():
    found = collect([feedback(2), feedback(1, label=False), feedback(3)], CARD, most=10)

    assert found.batch.columns["b"].tolist() == [1, 2, 3]
    assert list(found.labels) == [False, True, True]


def test_only_the_newest_are_used():
    assert collect(map(feedback, range(100)), CARD, most=5).batch.columns["b"].tolist() == [
        *range(95, 100)
    ]


def test_what_the_guard_refuses_is_counted_by_its_rule():
    bad = [
        feedback(1, features={"a": "much", "b": 1}),
        feedback(2, features={"a": 1.0}),
        feedback(3, label="maybe"),
        Record("s.feedback", 0, 4, b"k", b"{", (), 0),
    ]

    found = collect([feedback(0), *bad], CARD, most=10)

    assert found.refused == Counter(wrong_type=1, missing_feature=1, label_domain=1, illegible=1)
    assert len(found.labels) == 1


def test_answers_of_the_model_are_found_in_whichever_record_they_came():
    records = [
        feedback(1, model="other"),
        feedback(1, features={}, outputs={"probability": 0.25}),
        feedback(2, model="other"),
    ]

    found = collect(records, CARD, most=10)

    assert list(found.served) == [0.25, None]


def test_rows_for_another_model_of_the_stream_are_none_of_ours():
    records = [feedback(1), feedback(2, features={"z": 1}, model="other")]

    found = collect(records, CARD, most=10)

    assert (len(found.labels), found.refused.total()) == (1, 0)


def test_an_id_without_features_teaches_nothing():
    assert collect([feedback(1, features={})], CARD, most=10).batch.size == 0


@pytest.fixture(scope="module")
def trained():
    return train(table(schema=NUMBERS), replace(QUICK, trials=1), silent)


@pytest.mark.parametrize("accepted", [True, False])
def test_the_page_is_well_formed_and_says_the_verdict(trained, accepted):
    faults = () if accepted else ("auc is 0.5000, asked for is at least 0.9 & more",)
    done = replace(trained, faults=faults, gain=Interval(-0.01, 0.02))

    document = page(table(schema=NUMBERS, refused=Counter(not_finite=3)), done, QUICK)

    outline = Outline(document)
    assert outline.open == []
    assert outline.tags.count("svg") == 2
    assert ("ACCEPTED" in document, "REFUSED" in document) == (accepted, not accepted)
    assert "refused: not finite 3" in document
    assert "better than the champion by -0.0100 to +0.0200" in document
    assert "0.9 &amp; more" in document or accepted


def test_a_regression_shows_its_errors_instead_of_classes():
    values = table(task="regression", schema=NUMBERS)

    document = page(values, train(values, replace(QUICK, trials=1), silent), QUICK)

    assert "Answers against the truth" in document
    assert "Confusion" not in document


def test_calibration_compares_what_was_said_with_what_came(trained):
    said, came = binned(np.array([0.11, 0.19, 0.9]), np.array([0.0, 1.0, 1.0]))
    assert (said, came) == (pytest.approx([0.15, 0.9]), [0.5, 1.0])

    said, was = probabilities(trained)
    assert (said.shape, set(was.tolist())) == ((60,), {0.0, 1.0})


def test_an_answer_means_a_class():
    assert said_class(["a", "b"], 0.5) == 1
    assert said_class(["a", "b", "c"], {"a": 0.2, "b": 0.5, "c": 0.3}) == 1


def test_options_of_the_command_go_before_the_settings(monkeypatch):
    monkeypatch.setenv("MODSTREAM_TRAIN__THRESHOLD", "0.7")
    monkeypatch.setenv("MODSTREAM_TRAIN__FOLDS", "3")

    found = with_train(load_settings(), {"threshold": 0.8, "trials": None}).train

    assert (found.threshold, found.folds, found.trials) == (0.8, 3, 20)


@dataclass
class Shelf:
    """A registry of a few cards."""

    cards: list = field(default_factory=list)

    def newest(self, _name):
        return self.cards[-1] if self.cards else None

    def versions(self, _name):
        return self.cards


def test_a_learner_passes_over_challengers_that_cannot_learn():
    first, second = CARD, CARD.model_copy(update={"version": 2})
    challenger = CARD.model_copy(update={"version": 3, "runtime": "onnx"})

    assert newest_that_learns(Shelf([first, second, challenger]), "m") == second
    assert newest_that_learns(Shelf([challenger]), "m") == challenger
    assert newest_that_learns(Shelf(), "m") is None
