"""An experiment as a run of MLflow: its parameters, metrics and tags. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import NamedTuple

from modstream.experiments.experiment import Experiment

ID_TAG = "modstream.experiment"
"""The tag with the id of the experiment, by which its run is found."""
MAX_PARAMETER = 500
"""Largest number of characters of a parameter that every release of MLflow takes."""


class MetricPoint(NamedTuple):
    """A value of a metric at a step: the number of a fold, or the rank of a trial."""

    name: str
    value: float
    step: int = 0


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run has; `start` and `end` are ms since the epoch, `status` is MLflow's word."""

    name: str
    start: int
    end: int
    status: str
    parameters: Mapping[str, str]
    metrics: tuple[MetricPoint, ...]
    tags: Mapping[str, str]


def run_of(experiment: Experiment) -> RunFacts:
    """Return the run of an experiment.

    The metrics are those of the test (`test/auc`), of the chosen model by fold (`fold/auc`, the
    step is the fold) and of all trials by rank (`trial/auc`), and the seconds of both clocks.
    """
    end = int(datetime.fromisoformat(experiment.time).timestamp() * 1000)
    return RunFacts(
        name=f"{experiment.model} {experiment.id}",
        start=end - int(1000 * experiment.spent.get("wall", 0.0)),
        end=end,
        status="FAILED" if experiment.state == "failed" else "FINISHED",
        parameters={name: value[:MAX_PARAMETER] for name, value in _parameters(experiment)},
        metrics=tuple(one for one in _metrics(experiment) if isfinite(one.value)),
        tags={name: value for name, value in _tags(experiment) if value},
    )


def _parameters(one: Experiment) -> Iterator[tuple[str, str]]:
    yield from ((f"settings.{name}", str(value)) for name, value in one.settings.items())
    yield "metric", one.metric
    yield "task", one.task
    yield "rows", str(one.data.rows)
    yield "features", str(len(one.data.features))
    if one.chosen is not None:
        yield "chosen", one.chosen.kind
        for name, value in one.chosen.hyperparameters.items():
            yield f"chosen.{name}", str(value)


def _metrics(one: Experiment) -> Iterator[MetricPoint]:
    yield from (MetricPoint(f"test/{name}", value) for name, value in one.metrics.items())
    yield from (MetricPoint(f"decision/{name}", v) for name, v in (one.decision or {}).items())
    yield from (MetricPoint(f"seconds/{clock}", value) for clock, value in one.spent.items())
    if one.chosen is not None:
        for fold, score in enumerate(one.chosen.scores):
            yield MetricPoint(f"fold/{one.metric}", score, fold)
        if one.chosen.mean is not None and one.chosen.deviation is not None:
            yield MetricPoint(f"folds/{one.metric}/mean", one.chosen.mean)
            yield MetricPoint(f"folds/{one.metric}/deviation", one.chosen.deviation)
    for rank, trial in enumerate(one.trials):
        if trial.mean is not None:
            yield MetricPoint(f"trial/{one.metric}", trial.mean, rank)


def _tags(one: Experiment) -> Iterator[tuple[str, str]]:
    yield ID_TAG, one.id
    yield "modstream.model", one.model
    yield "modstream.version", "" if one.version is None else str(one.version)
    yield "modstream.state", one.state
    yield "modstream.reason", one.reason
    yield "modstream.code", one.code
    yield "modstream.source", one.data.source
    yield "modstream.data_sha256", one.data.sha256
    yield "modstream.test_sha256", one.data.test_sha256
    yield "modstream.artifact_sha256", one.artifact_sha256
    yield "modstream.trigger", "" if one.trigger is None else one.trigger.reason
