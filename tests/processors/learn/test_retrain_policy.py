"""When a model is to be retrained."""

import pytest

from modstream.broker.wire.model_contracts import DecisionEvidence, Metrics, ModelEvent
from modstream.processors.learn.retrain_policy import RetrainPolicy, RetrainSettings

SETTINGS = RetrainSettings(decay=0.05, min_window=100, min_labels_between=500)


def make_policy(metric="auc", **fields):
    return RetrainPolicy("m", metric, SETTINGS, **fields)


def found(policy, update):
    """Return why to retrain after an update, or an empty text."""
    trigger = policy.on_metrics(update)
    return "" if trigger is None else trigger.reason


def metrics(labelled, *, model="m", version=None, window=100, **values):
    values = {"labelled": labelled, "window": window, **values}
    return Metrics(kind="prequential", model=model, version=version, values=values)


def rollback(model="m", action="rollback", *, by_gate=True):
    evidence = DecisionEvidence(
        candidate="last-good", champion="steady", window=900, count=100, champion_loss=0.3,
        candidate_loss=0.2, bound=0.01, alpha=0.05,
    )  # fmt: skip
    return ModelEvent(
        model=model, version=7, action=action, alias="champion", at=1, reason="errors rose",
        decision=evidence if by_gate else None,
    )  # fmt: skip


def test_a_fall_of_the_metric_by_more_than_the_decay_is_a_reason():
    policy = make_policy()

    reasons = [
        found(policy, metrics(n, auc=auc))
        for n, auc in zip((100, 200, 300), (0.70, 0.74, 0.70), strict=True)
    ]

    assert reasons == ["", "", ""]
    assert found(policy, metrics(400, auc=0.68)) == "auc went from 0.74 to 0.68"


def test_for_a_loss_lower_is_better():
    policy = make_policy("log_loss", is_loss=True)

    assert found(policy, metrics(100, log_loss=0.50)) == ""
    assert found(policy, metrics(200, log_loss=0.40)) == ""
    assert found(policy, metrics(300, log_loss=0.46)) == "log_loss went from 0.4 to 0.46"


@pytest.mark.parametrize(
    ("metric", "is_loss", "good", "bad"), [("auc", False, 0.71, 0.69), ("mae", True, 0.69, 0.71)]
)
def test_a_metric_worse_than_the_threshold_is_a_reason(metric, is_loss, good, bad):
    policy = make_policy(metric, is_loss=is_loss, threshold=0.7)

    assert found(policy, metrics(100, **{metric: good})) == ""
    assert found(policy, metrics(200, **{metric: bad})) == f"{metric} is {bad}, required is 0.7"


def test_a_rollback_by_the_models_gate_is_a_reason_on_the_next_update():
    policy = make_policy()

    for event in (rollback("other"), rollback(action="promote"), rollback(by_gate=False)):
        policy.on_event(event)
    assert found(policy, metrics(100, auc=0.7)) == ""
    policy.on_event(rollback())

    assert found(policy, metrics(200, auc=0.7)) == "rolled back: errors rose"


def test_other_models_single_versions_and_few_labels_are_ignored():
    policy = make_policy(threshold=0.7)

    assert found(policy, metrics(100, auc=0.1, model="other")) == ""
    assert found(policy, metrics(100, auc=0.1, version=3)) == ""
    assert found(policy, metrics(99, auc=0.1, window=99)) == ""
    assert found(policy, metrics(100)) == ""


def test_a_reset_starts_an_interval_and_forgets_the_best_metric():
    policy = make_policy()
    policy.on_metrics(metrics(100, auc=0.9))
    policy.on_event(rollback())

    policy.reset()

    assert found(policy, metrics(599, auc=0.5)) == ""
    assert found(policy, metrics(600, auc=0.7)) == ""
    assert found(policy, metrics(700, auc=0.6)) == "auc went from 0.7 to 0.6"


def input_shift(model="m", **values):
    return Metrics(kind="input_drift", model=model, values=values)


def test_a_large_input_shift_is_a_reason_if_enabled():
    policy = RetrainPolicy("m", "auc", RetrainSettings(min_window=100, min_input_shift=0.5))

    shifts = [input_shift(temp=0.3), input_shift("n", temp=3.0), input_shift(temp=0.2, dew=-1.5)]
    assert [policy.on_metrics(one) for one in shifts] == [None, None, None]

    expected = "inputs moved: dew by -1.5 standard deviations"
    assert found(policy, metrics(100, auc=0.7)) == expected


def test_input_shifts_are_ignored_by_default():
    policy = make_policy()

    policy.on_metrics(input_shift(temp=9.0))

    assert found(policy, metrics(100, auc=0.7)) == ""


@pytest.mark.parametrize(
    "values",
    [
        {}, {"auc": 0.1}, {"labelled": 1e308}, {"labelled": float("nan"), "auc": 0.1},
        {"labelled": float("inf"), "window": 100}, {"labelled": 500, "window": float("nan")},
        {"labelled": 500, "window": 100, "auc": float("nan")},
    ],
)  # fmt: skip
def test_metrics_of_others_are_no_reason_and_do_no_harm(values):
    policy = make_policy(threshold=0.7)

    assert policy.on_metrics(Metrics(kind="prequential", model="m", values=values)) is None
