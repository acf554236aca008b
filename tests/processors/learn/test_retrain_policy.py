"""When a model is to be retrained."""

import pytest

from modstream.broker.wire.contracts import Metrics, ModelEvent, Weighed
from modstream.processors.learn.retrain_policy import Reasons, RetrainSettings

SETTINGS = RetrainSettings(decay=0.05, fewest=100, rest=500)


def reasons(metric="auc", **facts):
    return Reasons("m", metric, SETTINGS, **facts)


def figures(labelled, *, model="m", version=None, window=100, **values):
    told = {"labelled": labelled, "window": window, **values}
    return Metrics(kind="prequential", model=model, version=version, values=told)


def rollback(model="m", action="rollback", *, by_gate=True):
    weighed = Weighed(
        member="good", former="steady", window=900, count=100, former_loss=0.3, member_loss=0.2,
        bound=0.01, alpha=0.05,
    )  # fmt: skip
    return ModelEvent(
        model=model, version=7, action=action, alias="champion", at=1, evidence="errors rose",
        weighed=weighed if by_gate else None,
    )  # fmt: skip


def test_a_metric_that_falls_below_its_best_by_more_than_the_decay_is_a_reason():
    watched = reasons()

    told = [watched.see(figures(n, auc=auc)) for n, auc in [(100, 0.70), (200, 0.74), (300, 0.70)]]

    assert told == ["", "", ""]
    assert watched.see(figures(400, auc=0.68)) == "auc went from 0.74 to 0.68"


def test_of_a_loss_the_lowest_is_the_best():
    watched = reasons("log_loss", is_loss=True)

    assert watched.see(figures(100, log_loss=0.50)) == ""
    assert watched.see(figures(200, log_loss=0.40)) == ""
    assert watched.see(figures(300, log_loss=0.46)) == "log_loss went from 0.4 to 0.46"


@pytest.mark.parametrize(
    ("metric", "is_loss", "good", "bad"), [("auc", False, 0.71, 0.69), ("mae", True, 0.69, 0.71)]
)
def test_less_than_the_business_asks_is_a_reason(metric, is_loss, good, bad):
    watched = reasons(metric, is_loss=is_loss, bound=0.7)

    assert watched.see(figures(100, **{metric: good})) == ""
    assert watched.see(figures(200, **{metric: bad})) == f"{metric} is {bad}, asked for is 0.7"


def test_an_alarm_of_the_models_own_gate_is_a_reason_at_the_next_figures():
    watched = reasons()

    for event in (rollback("other"), rollback(action="promote"), rollback(by_gate=False)):
        watched.hear(event)
    assert watched.see(figures(100, auc=0.7)) == ""
    watched.hear(rollback())

    assert watched.see(figures(200, auc=0.7)) == "rolled back: errors rose"


def test_figures_of_others_of_single_versions_and_of_few_labels_are_no_reason():
    watched = reasons(bound=0.7)

    assert watched.see(figures(100, auc=0.1, model="other")) == ""
    assert watched.see(figures(100, auc=0.1, version=3)) == ""
    assert watched.see(figures(99, auc=0.1, window=99)) == ""
    assert watched.see(figures(100)) == ""


def test_after_a_retraining_there_is_rest_and_what_was_best_before_is_forgotten():
    watched = reasons()
    watched.see(figures(100, auc=0.9))
    watched.hear(rollback())

    watched.begin_anew()

    assert watched.see(figures(599, auc=0.5)) == ""
    assert watched.see(figures(600, auc=0.7)) == ""
    assert watched.see(figures(700, auc=0.6)) == "auc went from 0.7 to 0.6"


def inputs_moved(model="m", **values):
    return Metrics(kind="inputs", model=model, values=values)


def test_inputs_that_moved_far_enough_are_a_reason_where_that_is_wished():
    watched = Reasons("m", "auc", RetrainSettings(fewest=100, inputs=0.5))

    told = [inputs_moved(temp=0.3), inputs_moved("n", temp=3.0), inputs_moved(temp=0.2, dew=-1.5)]
    assert [watched.see(one) for one in told] == ["", "", ""]

    because = "inputs moved: dew by -1.5 standard deviations"
    assert watched.see(figures(100, auc=0.7)) == because


def test_inputs_that_moved_are_no_reason_by_default():
    watched = reasons()

    watched.see(inputs_moved(temp=9.0))

    assert watched.see(figures(100, auc=0.7)) == ""
