"""The settings of the demo's stream: its route, the candidates of `online`, and their pace."""

from time import time
from typing import Any

from modstream.demo.family import BOOSTED, FIRST, MEAN, ONCE, ONLINE
from modstream.demo.plan import DemoPlan
from modstream.demo.seed import CANDIDATE_PIPELINES
from modstream.settings import Settings, load_settings, uses_external_kafka

ROUTE = (ONLINE, "frozen")
PUBLISH = {"min_interval_seconds": 0.1}
"""In the replay, a version every 0.1 s of wall time is one every few minutes of event time."""
MEAN_INTERVAL_S = 1.0
GATE = {"loss": "score"}
"""Candidates are compared by probabilities, as the regret is; ranks need three times the labels to
prove the mean better."""
TRAIN = {
    "trials": 1,
    "max_rows": 100_000,
    "min_rows": 40_000,
    "fit_all": True,
    "compare_champion": False,
}
"""The first trial has the parameters of the boosting of the seed, which has learned 78,000 flights:
it is not replaced by one that has learned few. The gate compares, not the training."""
RETRAIN = {"decay": 1.0, "alpha": 0.0, "max_runs_per_day": 1000}
"""Only the schedule causes retrainings: nine months of them are replayed in an hour."""


def demo_settings(plan: DemoPlan, *, with_all: bool = False) -> Settings:
    """Return the settings of the demo's stream, with a unique prefix on external servers.

    `with_all` lets further candidates learn.
    """
    learning = tuple(CANDIDATE_PIPELINES) if with_all else (FIRST,)
    once = (ONCE,) if plan.retrain_hours or plan.board else ()
    overrides: dict[str, Any] = {
        "stream": "flights",
        "route": ROUTE,
        "publish": PUBLISH,
        "candidates": (*learning, BOOSTED, *once, MEAN),
        "means": {MEAN: {"parts": (FIRST, BOOSTED), "min_interval_seconds": MEAN_INTERVAL_S}},
        "gate": GATE,
        "train": TRAIN,
        "retrain": {**RETRAIN, "every_hours": plan.retrain_hours},
    }
    settings = load_settings(**overrides)
    if uses_external_kafka(settings):
        return load_settings(**overrides, prefix=f"demo-{time():.0f}.")
    return settings
