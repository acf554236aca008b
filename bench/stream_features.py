"""What features of the stream are worth on the flights of April to December, without a broker.

    python -m bench.stream_features                     # frozen and monthly, features of labels
    python -m bench.stream_features --board             # and of the board of departures, landings
    python -m bench.stream_features --every 7 --online  # weekly, and the mean with the online model
    python -m bench.stream_features --shifted           # labels come a day later: the gain is gone
    python -m bench.stream_features --every 0 --delay 15    # labels come 15 minutes later
    python -m bench.stream_features --every 0 --ahead   # the features of the demo's board

The features are those of `models/examples/flights_features.toml`, computed by the functions that
compute the served ones, with every label known from its landing on. Histogram boosting (150 trees
of 31 leaves, rate 0.06) predicts each flight at its scheduled departure. `frozen` is fitted once,
on January to March. With `--every`, it is fitted again after each number of days, on the flights
of the last 120 days that have landed. A flight that leaves early is on the board only after its
own request, unless `--early` is given. `--ahead` implies `--board` and `--early`, with the features
of `models/examples/flights_early_board_features.toml`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pandas as pd
import typer
from rich.console import Console
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss, roc_auc_score

from bench.monitoring import Season, predict_online
from modstream.demo.feature_events import (
    BOARD_FEATURES,
    EARLY_BOARD_FEATURES,
    LABEL_FEATURES,
    computed,
)
from modstream.models.evaluation.arrays import FloatArray
from modstream.processors.features.feature_set import FeatureSet
from modstream.processors.features.files import load_features
from modstream.producers.replay.flights import (
    CATEGORIES,
    FEATURES,
    NUMBERS,
    load_board,
    load_flights,
)
from modstream.report.console import print_tables
from modstream.report.report_table import ReportTable

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
FIRST_MS = int(pd.Timestamp("2013-04-01", tz="America/New_York").timestamp() * 1000)
"""The begin of the flights that are scored."""
WINDOW_DAYS = 120
OWN = "the request's own features"
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Table:
    """All flights: their columns by name, labels (NaN if they never landed), and times in ms."""

    columns: dict[str, FloatArray]
    late: FloatArray
    scheduled: npt.NDArray[np.int64]
    landed: FloatArray

    @classmethod
    def of(cls, flights: pd.DataFrame, features: dict[str, FloatArray]) -> "Table":
        """Return the flights with the request's own features and those of the stream."""
        columns: dict[str, FloatArray] = {}
        for name in CATEGORIES:
            columns[name] = pd.factorize(flights[name], sort=True)[0].astype(np.float64)
        for name in NUMBERS:
            columns[name] = flights[name].to_numpy(np.float64)
        return cls(
            {**columns, **features},
            flights["late"].to_numpy(np.float64, na_value=np.nan),
            flights["scheduled_ms"].to_numpy(np.int64),
            flights["landed_ms"].to_numpy(np.float64, na_value=np.nan),
        )

    @property
    def is_scored(self) -> Mask:
        """Whether each flight counts: it landed, and was not to depart before April."""
        scored: Mask = (self.scheduled >= FIRST_MS) & np.isfinite(self.late)
        return scored

    def matrix(self, names: Sequence[str], rows: Mask) -> FloatArray:
        """Return the columns of the chosen flights, (n, names)."""
        return np.stack([self.columns[name][rows] for name in names], axis=1)


def predict(table: Table, names: Sequence[str], every: int | None) -> FloatArray:
    """Return the probabilities of all flights from April on, NaN for the earlier ones, (n,).

    The model is fitted once, or after each `every` days.
    """
    found = np.full(len(table.late), np.nan)
    end = int(table.scheduled.max()) + 1
    step = (end - FIRST_MS) if every is None else every * DAY_MS
    for start in range(FIRST_MS, end, step):
        known = table.landed <= start
        if every is not None:
            known &= table.scheduled >= start - WINDOW_DAYS * DAY_MS
        model = HistGradientBoostingClassifier(
            max_iter=150, max_leaf_nodes=31, learning_rate=0.06, random_state=0,
            categorical_features=[name in CATEGORIES for name in names],
        )  # fmt: skip
        model.fit(table.matrix(names, known), table.late[known])
        asked = (table.scheduled >= start) & (table.scheduled < start + step)
        found[asked] = model.predict_proba(table.matrix(names, asked))[:, 1]
    return found


def mean_logit(one: FloatArray, other: FloatArray) -> FloatArray:
    """Return the probabilities whose log-odds are the means of both."""
    low, high = 1e-6, 1 - 1e-6
    odds = [np.log(p / (1 - p)) for p in (np.clip(one, low, high), np.clip(other, low, high))]
    mean: FloatArray = 1 / (1 + np.exp(-(odds[0] + odds[1]) / 2))
    return mean


def steps(features: FeatureSet) -> dict[str, list[str]]:
    """Return the names of the columns of each step, which adds to the one before."""
    own = list(FEATURES)
    late = [name for name in features.names if name.startswith("late_")]
    numbers = [name for name in late if "_key_" in name]
    rates = [name for name in late if name not in numbers]
    overdue = [name for name in features.names if name.startswith("overdue_")]
    board = [name for name in features.names if name not in {*late, *overdue}]
    found = {
        OWN: own,
        "+ late rates and counts": own + rates,
        "+ those of the flight's number": own + late,
        "+ overdue labels": own + late + overdue,
    }
    return {**found, "+ board": own + late + overdue + board} if board else found


@dataclass(slots=True)
class Scores:
    """The rows of the table, added one by one."""

    table: Table
    console: Console
    rows: list[tuple[str, ...]]

    def add(self, fitted: str, step: str, columns: int, predicted: FloatArray) -> None:
        """Add the scores of predictions and print them."""
        scored = self.table.is_scored
        late, found = self.table.late[scored], predicted[scored]
        auc, loss = roc_auc_score(late, found), log_loss(late, found)
        self.rows.append((fitted, step, str(columns), f"{auc:.4f}", f"{loss:.4f}"))
        self.console.print(f"{fitted}: {step}: AUC {auc:.4f}", highlight=False)


def online_predictions(table: Table) -> FloatArray:
    """Return the probabilities of the demo's online model, as `predict` returns them."""
    season = Season.load(None)
    found = np.full(len(table.late), np.nan)
    labelled = np.flatnonzero(np.isfinite(table.late))
    found[labelled[season.is_scored]] = predict_online(season)
    return found


def main(  # noqa: PLR0913 - one argument for each option
    *,
    board: Annotated[bool, typer.Option(help="Add the board of departures and landings.")] = False,
    early: Annotated[bool, typer.Option(help="Early flights are on it at once.")] = False,
    ahead: Annotated[bool, typer.Option(help="The board as the demo has it.")] = False,
    every: Annotated[int, typer.Option(min=0, help="Days between fits; 0: only frozen.")] = 30,
    online: Annotated[bool, typer.Option(help="Add the mean with the online model.")] = False,
    shifted: Annotated[bool, typer.Option(help="Labels come a day after the landing.")] = False,
    delay: Annotated[int, typer.Option(min=0, help="Minutes by which labels come later.")] = 0,
) -> None:
    """Print what each kind of features adds."""
    console, flights, start = Console(), load_flights(), perf_counter()
    board, early = board or ahead, early or ahead
    path = BOARD_FEATURES if board else LABEL_FEATURES
    features = load_features(EARLY_BOARD_FEATURES if ahead else path)
    departures = load_board(has_early=early) if board else None
    found = computed(features, flights, departures, DAY_MS if shifted else delay * MINUTE_MS)
    table = Table.of(flights, found)
    console.print(
        f"{len(features.names)} features of {len(flights):,} flights computed in"
        f" {perf_counter() - start:.0f} s",
        highlight=False,
    )
    scores = Scores(table, console, [])
    chosen = steps(features)
    for step, names in chosen.items():
        predicted = predict(table, names, None)
        scores.add("frozen", step, len(names), predicted)
    for step in (OWN, *list(chosen)[3:]) if every else ():
        predicted = predict(table, chosen[step], every)
        scores.add(f"every {every} days", step, len(chosen[step]), predicted)
    if online:
        other = online_predictions(table)
        scores.add("online", OWN, len(FEATURES), other)
        mean = mean_logit(predicted, other)
        scores.add("mean logit", f"both: {step}, {OWN}", len(chosen[step]), mean)
    columns = ("fitted", "features", "columns", "AUC", "log loss")
    title = "Flights of April to December" + ", labels a day later" * shifted
    print_tables([ReportTable(title, columns, tuple(scores.rows))], console)


if __name__ == "__main__":
    typer.run(main)
