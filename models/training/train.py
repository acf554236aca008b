"""From labelled rows to a challenger: check, split, search, fit, accept, export."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import bootstrap
from sklearn.base import BaseEstimator

from modstream.models.errors import ArtifactError, UnknownMetric
from modstream.models.evaluation.metrics import HIGHER_IS_BETTER, Answer, figures
from modstream.models.importers.files import Portable, portable
from modstream.models.schema.card import Task
from modstream.models.schema.input_schema import Batch, Scalar
from modstream.models.schema.version_spec import Draft
from modstream.models.training.dataset import Labelled, check, split
from modstream.models.training.search import Candidate, Tell, fit, said, search
from modstream.models.training.settings import TrainSettings

MEASURES: Mapping[Task, tuple[str, ...]] = MappingProxyType(
    {
        "binary": ("auc", "log_loss", "accuracy"),
        "multiclass": ("accuracy", "macro_f1", "log_loss"),
        "regression": ("r2", "mae", "rmse"),
    }
)
"""What may decide, by task; the first does unless the settings say otherwise."""
GOLDEN_ROWS = 500
FEWEST_SERVED = 30
"""Rows answered by the champion below which a comparison is mostly chance."""


class Interval(NamedTuple):
    """A 95 % confidence interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Trained:
    """A fitted challenger and what was found out about it on the rows that were held back.

    `chosen` is the best of the `candidates` that a worker can load. `figures` are over all of those
    rows; `champion` holds the champion's figures and `rival` the challenger's over those that the
    champion had answered, `gain` how much better the challenger is there by the metric that
    decides. `faults` say why it may not be published, if it may not.
    """

    draft: Draft
    artifact: bytes
    metric: str
    candidates: tuple[Candidate, ...]
    chosen: Candidate
    figures: Mapping[str, float]
    champion: Mapping[str, float]
    rival: Mapping[str, float]
    gain: Interval | None
    faults: tuple[str, ...]
    truths: Sequence[Scalar]
    answers: Sequence[Answer]

    @property
    def accepted(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.faults


def train(table: Labelled, settings: TrainSettings, tell: Tell) -> Trained:
    """Train a challenger on all but the newest rows and test it on those.

    Raises:
        TrainingError: too few rows, too many broken ones, or a task that is learned online only.
    """
    check(table, settings)
    older, newest = split(table, settings)
    metric = deciding(table.card.task, settings.metric)
    candidates = search(older, metric, settings, tell)
    tell("fitting and exporting the best", 1.0)
    golden = newest.batch.take(range(min(newest.batch.size, GOLDEN_ROWS)))
    chosen, model, (artifact, runtime, used) = first_portable(candidates, older, golden)
    answers = said(model, newest)
    found = figures(newest.truths(), answers, table.card.task)
    champion, rival, gain = duel(newest, answers, metric, settings)
    draft = Draft(
        name=table.card.name,
        runtime=runtime,
        task=table.card.task,
        classes=table.classes,
        input_schema=table.card.input_schema,
        parent=table.card.version,
        metrics={**found, "trained_on": len(older.labels)},
        libraries={library: version(library) for library in ("scikit-learn", "optuna", used)},
        note=f"retrained: {chosen.kind} on {len(older.labels):,} rows",
    )
    return Trained(
        draft=draft,
        artifact=artifact,
        metric=metric,
        candidates=tuple(candidates),
        chosen=chosen,
        figures=found,
        champion=champion,
        rival=rival,
        gain=gain,
        faults=tuple(faults_of(found, metric, settings.threshold, gain)),
        truths=newest.truths(),
        answers=answers,
    )


def first_portable(
    candidates: Sequence[Candidate], table: Labelled, golden: Batch
) -> tuple[Candidate, BaseEstimator, Portable]:
    """Fit the best candidate that can be written as an artifact.

    Raises:
        ArtifactError: none can; it is that of the last.
    """
    *others, last = candidates
    for candidate in others:
        model = fit(candidate.model, table)
        with suppress(ArtifactError):
            return candidate, model, portable(model, table.card.input_schema, golden)
    model = fit(last.model, table)
    return last, model, portable(model, table.card.input_schema, golden)


def deciding(task: Task, asked: str) -> str:
    """The metric that decides: the one asked for, or the task's own.

    Raises:
        UnknownMetric: it does not measure this task.
    """
    if asked and asked not in MEASURES[task]:
        raise UnknownMetric(asked, MEASURES[task])
    return asked or MEASURES[task][0]


def duel(
    table: Labelled, answers: Sequence[Answer], metric: str, settings: TrainSettings
) -> tuple[dict[str, float], dict[str, float], Interval | None]:
    """Champion's and challenger's figures where the champion had answered, and the gain.

    The champion is held to what it said when it was asked: a learner has seen these rows since.
    The interval is a paired bootstrap's (B. Efron, "Bootstrap methods", Ann. Stat. 7, 1979).
    """
    rows = [place for place, served in enumerate(table.served) if served is not None]
    if len(rows) < FEWEST_SERVED:
        return {}, {}, None
    labels = table.take(rows).truths()
    theirs, ours = [table.served[row] for row in rows], [answers[row] for row in rows]
    task, sign = table.card.task, 1.0 if metric in HIGHER_IS_BETTER else -1.0

    def gain(sample: Any) -> float:  # noqa: ANN401 - scipy's array of positions
        places = [int(place) for place in sample]
        truths = [labels[place] for place in places]
        one = figures(truths, [ours[place] for place in places], task, metric)
        other = figures(truths, [theirs[place] for place in places], task, metric)
        # A sample of one class alone has no AUC and says nothing of either.
        return sign * (one[metric] - other[metric]) if metric in one and metric in other else 0.0

    found = bootstrap(
        (np.arange(len(rows)),),
        gain,
        n_resamples=settings.resamples,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(settings.seed),
    ).confidence_interval
    interval = Interval(float(found.low), float(found.high))
    return figures(labels, theirs, task), figures(labels, ours, task), interval


def faults_of(
    found: Mapping[str, float], metric: str, threshold: float | None, gain: Interval | None
) -> list[str]:
    """What speaks against a challenger, each in one sentence; nothing if it is accepted."""
    if metric not in found:
        return [f"{metric} is undefined on the held-back rows: all their labels are the same"]
    faults = []
    value, higher = found[metric], metric in HIGHER_IS_BETTER
    if threshold is not None and not (value >= threshold if higher else value <= threshold):
        side = "at least" if higher else "at most"
        faults.append(f"{metric} is {value:.4f}, asked for is {side} {threshold:g}")
    if gain is not None and gain.high < 0:
        faults.append(
            f"the champion's {metric} is better by {-gain.high:.4f} to {-gain.low:.4f}"
            " (95 % confidence)"
        )
    return faults
