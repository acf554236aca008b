"""Turns a training into an experiment."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from math import isfinite
from typing import Any

from modstream.experiments.code_version import code_version
from modstream.experiments.confusion import confusions_of
from modstream.experiments.experiment import DataRecord, Experiment, SliceRecord, TrialSummary
from modstream.models.evaluation.monitoring.slices import SliceFigures
from modstream.models.training.budget import Spent
from modstream.models.training.settings import TrainSettings
from modstream.models.training.train import TrainingResult
from modstream.models.training.trials import ModelTrial

ID_DIGITS = 8
MAX_TRIALS = 100
"""Largest number of trials in an experiment, the best first."""


def experiment_of(
    model: str, training: TrainingResult, data: DataRecord, settings: TrainSettings
) -> Experiment:
    """Return the experiment of a training that came to a result."""
    accepted = training.is_accepted
    return Experiment(
        **_identity(model, data, settings),
        task=training.spec.task,
        state="accepted" if accepted else "rejected",
        reason="" if accepted else "; ".join(training.rejection_reasons),
        metric=training.metric,
        chosen=_summary(training.chosen),
        trials=tuple(map(_summary, training.trials[:MAX_TRIALS])),
        metrics=dict(training.metrics),
        decision=None if training.decision is None else asdict(training.decision),
        searched=_seconds(training.searched),
        spent=_seconds(training.spent),
        libraries=training.spec.libraries,
        artifact_sha256=sha256(training.artifact).hexdigest(),
        slices=tuple(map(_slice, training.analysis.slices)),
        confusions=confusions_of(
            training.labels,
            training.predictions,
            training.spec.task,
            training.spec.classes,
            None if training.decision is None else training.decision.threshold,
        ),
    )


def failed_experiment(
    model: str, task: str, error: str, data: DataRecord, settings: TrainSettings
) -> Experiment:
    """Return the experiment of a training that ended with an error."""
    return Experiment(
        **_identity(model, data, settings),
        task=task,
        state="failed",
        reason=error,
        metric=settings.metric,
    )


def abandoned_experiment(model: str, reason: str, settings: TrainSettings) -> Experiment:
    """Return the experiment of a training whose process was ended before it had any result."""
    nothing = DataRecord(
        source="", sha256="", rows=0, features=(), test_rows=0, test_sha256="", test_openings=0
    )
    return failed_experiment(model, "", reason, nothing, settings)


def _identity(model: str, data: DataRecord, settings: TrainSettings) -> Mapping[str, Any]:
    time = datetime.now(UTC)
    digest = sha256(f"{time.isoformat()} {model} {data.sha256}".encode()).hexdigest()
    return {
        "id": digest[:ID_DIGITS],
        "time": time.isoformat(timespec="seconds"),
        "model": model,
        "code": code_version(),
        "settings": asdict(settings),
        "data": data,
    }


def _summary(trial: ModelTrial) -> TrialSummary:
    return TrialSummary(
        kind=trial.name,
        hyperparameters=trial.hyperparameters,
        mean=_finite(trial.mean_score),
        deviation=_finite(trial.score_deviation),
        folds=len(trial.scores),
        stride=trial.stride,
        cpu_seconds=round(trial.seconds, 3),
        scores=trial.scores,
    )


def _slice(found: SliceFigures) -> SliceRecord:
    return SliceRecord(
        name=found.name,
        rows=found.count,
        loss=found.loss,
        rest_loss=_finite(found.rest_loss),
        p_value=found.p_value,
    )


def _seconds(spent: Spent) -> dict[str, float]:
    return {"cpu": round(spent.cpu, 3), "wall": round(spent.wall, 3)}


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
