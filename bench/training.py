"""What `modstream train` reaches on the flights, beside FLAML and settings chosen by hand.

    python -m bench.training                      # the request's own features
    python -m bench.training --stream-features    # and those that the stream computes from labels
    python -m bench.training --budget 300 --no-flaml

Trained on January to March, tested on April to December. All have the same rows, and strings
encoded alike. `modstream train` has the budget in processor time, FLAML (if it is installed) in
wall time, with folds in the order of time: it has no other clock. On a loaded machine that is less
work: compare the processor times, or give it more by `--flaml-budget`. By hand: histogram boosting
with 150 trees of 31 leaves at rate 0.06.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss, roc_auc_score

from modstream.demo.feature_events import LABEL_FEATURES, computed
from modstream.models.evaluation.arrays import FloatArray
from modstream.models.training.budget import Spent, Stopwatch
from modstream.models.training.dataset import LabelledDataset
from modstream.models.training.encoding import encode, fit_encoder, make_encoder, raw_inputs
from modstream.models.training.settings import TrainSettings
from modstream.models.training.table import TableRoles, read_table
from modstream.models.training.train import train
from modstream.models.training.trials import fitting
from modstream.processors.features.files import load_features
from modstream.producers.replay.flights import FEATURES, load_flights
from modstream.report.console import print_tables
from modstream.report.report_table import ReportTable

FIRST_TESTED = pd.Timestamp("2013-04-01")
ROLES = TableRoles("late", time="scheduled_ms")
FLAML_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Encoded:
    """Rows as numbers, (n, k), with their labels, for models that are not modstream's."""

    fitted: FloatArray
    labels: Any
    tested: FloatArray

    @classmethod
    def of(cls, rows: LabelledDataset, tested: LabelledDataset) -> "Encoded":
        """Encode both by the older rows."""
        schema, labels = rows.card.input_schema, rows.targets()
        inputs = raw_inputs(rows.batch, schema)
        encoder = make_encoder(schema, inputs, "binary")
        matrix = fit_encoder(encoder, inputs, labels)
        return cls(matrix, labels, encode(encoder, raw_inputs(tested.batch, schema)))


def write_tables(folder: Path, *, stream_features: bool) -> tuple[Path, Path]:
    """Write the flights that landed to two Parquet files, those before April and the others."""
    flights = load_flights()
    columns: dict[str, Any] = {name: flights[name] for name in (*FEATURES, "scheduled_ms", "late")}
    if stream_features:
        columns |= computed(load_features(LABEL_FEATURES), flights)
    table = pd.DataFrame(columns)[flights["late"].notna()]
    is_old = flights.loc[table.index, "date"] < FIRST_TESTED
    paths = folder / "older.parquet", folder / "newer.parquet"
    for path, part in zip(paths, (table[is_old], table[~is_old]), strict=True):
        part.astype({"late": bool}).to_parquet(path, index=False)
    return paths


def by_hand(rows: Encoded, _budget: float) -> tuple[str, FloatArray]:
    """Return the predictions of histogram boosting with fixed settings."""
    model = HistGradientBoostingClassifier(
        max_iter=150, max_leaf_nodes=31, learning_rate=0.06, early_stopping=False, random_state=0
    )
    with fitting(1):
        model.fit(rows.fitted, rows.labels)
    return "150 trees of 31 leaves", probabilities(model, rows)


def by_flaml(rows: Encoded, budget: float) -> tuple[str, FloatArray]:
    """Return the predictions of the best model of FLAML."""
    automl = import_module("flaml.automl").AutoML()
    automl.fit(
        rows.fitted,
        rows.labels,
        task="classification",
        metric="roc_auc",
        time_budget=budget,
        split_type="time",
        eval_method="cv",
        n_splits=FLAML_FOLDS,
        n_jobs=1,
        seed=0,
        verbose=0,
    )
    return str(automl.best_estimator), probabilities(automl, rows)


def probabilities(model: BaseEstimator, rows: Encoded) -> FloatArray:
    """Return the probabilities of the tested rows."""
    return np.asarray(model.predict_proba(rows.tested), dtype=np.float64)[:, 1]


def line(name: str, chosen: str, labels: Any, predicted: Any, spent: Spent) -> tuple[str, ...]:  # noqa: ANN401 - (n,)
    """Return a row of the table."""
    auc, loss = roc_auc_score(labels, predicted), log_loss(labels, predicted)
    return name, chosen, f"{auc:.4f}", f"{loss:.4f}", f"{spent.cpu:.0f}", f"{spent.wall:.0f}"


def main(
    *,
    budget: Annotated[float, typer.Option(help="Seconds of each search.")] = 60.0,
    stream_features: Annotated[
        bool, typer.Option(help="Add the features that the stream computes from labels.")
    ] = False,
    flaml: Annotated[bool, typer.Option(help="Run FLAML, too.")] = True,
    flaml_budget: Annotated[
        float | None, typer.Option(help="Wall seconds of FLAML; by default the budget.")
    ] = None,
    threads: Annotated[int, typer.Option(help="Threads of one fit of `modstream train`.")] = 1,
) -> None:
    """Print AUC and log loss of each."""
    console = Console()
    with TemporaryDirectory() as folder:
        paths = write_tables(Path(folder), stream_features=stream_features)
        rows, tested = (read_table(pd.read_parquet(path), ROLES, "flights") for path in paths)
    labels, lines = tested.targets(), []
    settings = TrainSettings(budget_seconds=budget, threads=threads)
    result = train(rows, settings, lambda _step, _share: None, open_test=lambda: tested)
    chosen = f"{result.chosen.name} ({result.spec.runtime})"
    lines.append(line("modstream train", chosen, labels, result.predictions, result.spent))
    encoded = Encoded.of(rows, tested)
    others = [("by hand", by_hand), *([("FLAML", by_flaml)] if flaml else [])]
    for name, search in others:
        watch = Stopwatch()
        try:
            chosen, predicted = search(encoded, flaml_budget or budget)
        except ImportError:
            console.print("FLAML is not installed: pip install 'modstream[automl]'")
            continue
        lines.append(line(name, chosen, labels, predicted, watch.spent()))
    columns = ("", "chosen", "AUC", "log loss", "CPU s", "wall s")
    title = (
        f"{len(tested.labels):,} flights of April to December, {len(rows.batch.columns)} features"
    )
    print_tables([ReportTable(title, columns, tuple(lines))], console)


if __name__ == "__main__":
    typer.run(main)
