"""The candidates of a model in the report, as their learner measured them."""

import pytest

from modstream.audit.reading import audited_topics
from modstream.broker.wire.model_contracts import Metrics
from modstream.report.candidate_table import candidate_table

STEADY = {"steady.labels": 100.0, "steady.auc": 0.7, "steady.log_loss": 0.5}
MEAN = {"mean.labels": 100.0, "mean.auc": 0.8, "mean.log_loss": 0.4}


def publish(story, values, model="online"):
    story.write(
        story.topics.metrics,
        "candidates",
        Metrics(kind="candidates", model=model, event_time=1, values=values),
    )


def test_the_newest_figures_count_and_the_best_candidate_comes_first(story):
    publish(story, {"steady.labels": 10.0, "steady.auc": 0.5, "steady.log_loss": 0.9})
    publish(story, {**STEADY, **MEAN, "last-good.labels": 5.0, "last-good.log_loss": 0.1})

    found = story.audit_result().candidates

    assert [(one.candidate, one.labels, one.auc, one.log_loss) for one in found] == [
        ("mean", 100, 0.8, 0.4),
        ("steady", 100, 0.7, 0.5),
    ]


def test_figures_from_before_a_restart_of_the_learner_count_too(story):
    publish(story, STEADY)
    publish(story, {"steady.labels": 300.0, "steady.auc": 0.9, "steady.log_loss": 0.3})
    publish(story, {"steady.labels": 100.0, "steady.auc": 0.5, "steady.log_loss": 0.7})

    (found,) = story.audit_result().candidates

    assert found.labels == 400
    assert found.auc == pytest.approx(0.8)
    assert found.log_loss == pytest.approx(0.4)


def test_candidates_of_other_models_and_unusable_figures_are_left_out(story):
    publish(story, STEADY, model="another")
    publish(story, {"empty.labels": 0.0, "endless.labels": float("inf"), "auc": 0.5})

    assert story.audit_result().candidates == ()


def test_the_table_says_what_the_choice_cost(story):
    story.flight("good")
    publish(story, {**STEADY, **MEAN})

    table = candidate_table(story.audit_result())

    assert [row[0] for row in table.rows] == ["online: mean", "online: steady", "online: served"]
    assert table.rows[0][1:] == ("100", "0.8000", "0.4000")


def test_a_stream_without_candidates_has_no_such_table(story):
    story.flight("good")

    assert candidate_table(story.audit_result()).rows == ()


def test_the_topic_of_features_is_not_audited(story):

    assert story.topics.features not in audited_topics(story.topics)
