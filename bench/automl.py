"""Does the AutoML loop help? A frozen model beside one that the loop replaces, on the flights.

    python -m bench.automl                        # trained when the loss rises, or every week
    python -m bench.automl --min-psi 0.25         # also when inputs drift

Both begin with the same model, trained on January to March, and predict April to December in the
order of scheduled departures. Labels are known after a chunk of rows. The loop uses the retrainer's
watch and the training of `modstream train` on the newest rows, with one set of hyperparameters. An
accepted challenger serves at once, as the loop has no gate; a gate would compare it once more.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from sklearn.metrics import roc_auc_score

from bench.training import ROLES, write_tables
from modstream.broker.wire.feedback_codec import FeedbackStruct, JoinedPredictionStruct
from modstream.models.evaluation.arrays import FloatArray
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.models.runtimes.runtime import Runtime, load
from modstream.models.schema.artifact import Artifact
from modstream.models.training.dataset import LabelledDataset
from modstream.models.training.settings import TrainSettings
from modstream.models.training.table import read_table
from modstream.models.training.train import TrainingResult, train
from modstream.processors.learn.feedback_watch import FeedbackWatch
from modstream.processors.learn.retrain_policy import RetrainSettings
from modstream.report.console import print_tables
from modstream.report.report_table import ReportTable

CHUNK = 1000
QUICK = TrainSettings(trials=1, folds=2, bootstrap_samples=50)
WEEK_HOURS = 168.0


@dataclass(slots=True)
class Served:
    """What served: the probability of each row (n,), and the reasons of the runs."""

    predictions: FloatArray
    runs: list[str] = field(default_factory=list)
    accepted: int = 0


def runtime_of(result: TrainingResult) -> Runtime:
    """Return a trained model as a worker loads it."""
    artifact = Artifact(result.artifact)
    runtime = load(artifact, result.spec.make_card(1, artifact))
    if not isinstance(runtime, Runtime):
        raise TypeError(f"{type(runtime).__name__} does not predict columns")
    return runtime


def no_progress(_step: str, _share: float) -> None:
    """Show nothing."""


def run_loop(
    rows: LabelledDataset,
    times: np.ndarray,
    first: int,
    model: Runtime,
    limits: RetrainSettings,
    max_rows: int,
) -> Served:
    """Predict the rows from `first` on in chunks, and retrain when the watch has a reason."""
    versions = VersionClasses(lambda _model, _version: rows.card)
    watch, served = FeedbackWatch("flights", limits, versions), Served(np.full(len(times), np.nan))
    has_run = False
    for start in range(first, len(times), CHUNK):
        chunk = range(start, min(start + CHUNK, len(times)))
        served.predictions[chunk] = model.predict(rows.batch.take(chunk))
        found = [watch.add(feedback(rows, times, row, served.predictions[row])) for row in chunk]
        trigger = next((one for one in reversed(found) if one is not None), None)
        is_rested = watch.labels >= limits.min_labels_between or not has_run
        if trigger is None or not is_rested:
            continue
        has_run = True
        end = chunk.stop
        recent = rows.take(range(max(0, end - max_rows), end))
        known = [None if np.isnan(one) else float(one) for one in served.predictions[:end]]
        recent = replace(recent, served=known[-len(recent.labels) :])
        result = train(recent, QUICK, no_progress)
        served.runs.append(trigger.reason)
        if result.is_accepted:
            served.accepted += 1
            model = runtime_of(result)
        watch.reset()
    return served


def feedback(
    rows: LabelledDataset, times: np.ndarray, row: int, probability: float
) -> FeedbackStruct:
    """Return the feedback of a row."""
    cells = ((name, column[row]) for name, column in rows.batch.columns.items())
    features = {name: cell.item() if hasattr(cell, "item") else cell for name, cell in cells}
    time = int(times[row])
    prediction = JoinedPredictionStruct("flights", 1, {"probability": float(probability)})
    label = bool(rows.labels[row])
    return FeedbackStruct(str(row), label, (prediction,), time, time, features=features)


def by_month(labels: np.ndarray, months: np.ndarray, served: Served) -> list[str]:
    """Return the AUC of each month, and of all."""
    known = np.isfinite(served.predictions)
    parts = [known & (months == month) for month in np.unique(months[known])]
    aucs = [roc_auc_score(labels[part], served.predictions[part]) for part in (*parts, known)]
    return [f"{one:.4f}" for one in aucs]


def main(
    *,
    max_rows: Annotated[int, typer.Option(help="Newest rows of a retraining.")] = 40_000,
    min_psi: Annotated[float, typer.Option(help="PSI that is a reason; 0 is off.")] = 0.0,
    months: Annotated[int, typer.Option(help="Months after March.")] = 9,
) -> None:
    """Print the AUC by month."""
    with TemporaryDirectory() as folder:
        paths = write_tables(Path(folder), stream_features=False)
        tables = [pd.read_parquet(path) for path in paths]
    first = len(tables[0])
    table = pd.concat(tables, ignore_index=True)
    later = table.iloc[first:].sort_values("scheduled_ms", kind="stable")
    table = pd.concat([table.iloc[:first].sort_values("scheduled_ms", kind="stable"), later])
    local = pd.to_datetime(table["scheduled_ms"] - 5 * 3_600_000, unit="ms")
    table = table[(local.dt.year == 2013) & (local.dt.month <= 3 + months)]
    local = local[table.index]
    rows = read_table(table, ROLES, "flights")
    times, labels = table["scheduled_ms"].to_numpy(), rows.targets()
    fitted = train(rows.take(range(first)), QUICK, no_progress)
    model = runtime_of(fitted)
    base = RetrainSettings(min_labels_between=10_000, min_psi=min_psi)
    ways = {
        "frozen": replace(base, alpha=0.0),
        "loop: loss" + (" or inputs" if min_psi else ""): base,
        "every week": replace(base, alpha=0.0, every_hours=WEEK_HOURS, min_labels_between=0),
    }
    found = {name: run_loop(rows, times, first, model, way, max_rows) for name, way in ways.items()}
    month = local.dt.month.to_numpy()
    numbers = [str(one) for one in np.unique(month[first:])]
    lines = [
        (name, *by_month(labels, month, one), str(len(one.runs)), str(one.accepted))
        for name, one in found.items()
    ]
    title = "AUC by month of 2013: one model, or challengers trained on recent feedback"
    columns = ("", *numbers, "all", "runs", "accepted")
    reasons = [f"{name}: {reason}" for name, one in found.items() for reason in one.runs[:8]]
    print_tables([ReportTable(title, columns, tuple(lines), tuple(reasons))], Console())


if __name__ == "__main__":
    typer.run(main)
