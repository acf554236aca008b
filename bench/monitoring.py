"""Monitoring of the demo's models on the flights of April to December, without a broker.

    python -m bench.monitoring                     # both models, all flights
    python -m bench.monitoring online --days 60    # one model, the first 60 days after March

`online` predicts each flight at its scheduled departure and learns it at its landing; `frozen` is
fitted on January to March. Labels of flights that never landed do not exist. The reference of the
drift per feature is January to March, and each later month is compared with it.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from rich.console import Console

from modstream.models.evaluation.arrays import FloatArray
from modstream.models.evaluation.monitoring.feature_drift import (
    NOTABLE_PSI,
    FeatureDrift,
    measure_feature_drift,
)
from modstream.models.evaluation.monitoring.features import (
    CategoryColumn,
    FeatureColumn,
    NumberColumn,
)
from modstream.models.evaluation.monitoring.model_monitoring import (
    ModelMonitoring,
    MonitoredRows,
    MonitoringSettings,
    monitor_model,
)
from modstream.models.evaluation.monitoring.scored_rows import ScoredRows
from modstream.models.examples.flights import frozen_pipeline, online_pipeline
from modstream.producers.replay.flights import CATEGORIES, FEATURES, NUMBERS, load_flights
from modstream.report.console import print_tables
from modstream.report.formatting import format_count
from modstream.report.monitoring_tables import (
    calibration_table,
    period_table,
    value_table,
    worst_slice_table,
)
from modstream.report.report_table import ReportTable

FIRST_MONTH = 4
NEW_YORK_MS = 5 * 3_600_000
"""How much New York's standard time is behind UTC: months are those of the flights' local dates."""
TOLERANCE = 0.01
"""The difference from the level up to which the coverage of a month is good."""


@dataclass(frozen=True, slots=True)
class Season:
    """The flights that have a label, and which of them are scored."""

    flights: pd.DataFrame
    is_scored: np.ndarray

    @classmethod
    def load(cls, days: int | None) -> "Season":
        """Return all flights, up to a number of days after March."""
        flights = load_flights()
        flights = flights[flights["late"].notna()].reset_index(drop=True)
        if days is not None:
            end = pd.Timestamp(2013, FIRST_MONTH, 1) + pd.Timedelta(days=days)
            flights = flights[flights["date"] < end]
        return cls(flights, (flights["date"].dt.month >= FIRST_MONTH).to_numpy())

    @property
    def scored(self) -> pd.DataFrame:
        """The flights that are scored."""
        return self.flights[self.is_scored]

    @property
    def training(self) -> pd.DataFrame:
        """The flights of January to March."""
        return self.flights[~self.is_scored]


def predict_online(season: Season) -> FloatArray:
    """Return the probabilities of the online model for the scored flights, (n,)."""
    flights = season.flights
    rows = flights[list(FEATURES)].to_dict("records")
    labels = flights["late"].astype(bool).tolist()
    departures, landings = (flights[name].tolist() for name in ("scheduled_ms", "landed_ms"))
    model, found = online_pipeline(), []
    in_air: list[tuple[int, int]] = []
    for number, now in enumerate(departures):
        while in_air and in_air[0][0] <= now:
            _, landed = heapq.heappop(in_air)
            model.learn_one(rows[landed], labels[landed])
        if season.is_scored[number]:
            found.append(model.predict_proba_one(rows[number]).get(True, 0.5))
        heapq.heappush(in_air, (landings[number], number))
    return np.array(found)


def predict_frozen(season: Season) -> FloatArray:
    """Return the probabilities of the frozen model for the scored flights, (n,)."""
    model, training = frozen_pipeline(), season.training
    model.fit(training[list(FEATURES)], training["late"].astype(int))
    found: FloatArray = model.predict_proba(season.scored[list(FEATURES)])[:, 1]
    return found


MODELS = {"online": predict_online, "frozen": predict_frozen}


def columns_of(flights: pd.DataFrame) -> dict[str, FeatureColumn]:
    """Return the features of flights as columns."""
    found: dict[str, FeatureColumn] = {
        name: NumberColumn(flights[name].to_numpy(np.float64)) for name in NUMBERS
    }
    for name in CATEGORIES:
        codes, names = pd.factorize(flights[name], sort=True)
        found[name] = CategoryColumn(codes.astype(np.int64), tuple(names))
    return {name: found[name] for name in FEATURES}


def monitored_rows(season: Season, probabilities: FloatArray) -> MonitoredRows:
    """Return the scored flights with their predictions."""
    flights, size = season.scored, len(probabilities)
    return MonitoredRows(
        rows=ScoredRows("binary", flights["late"].to_numpy(np.float64), probabilities),
        versions=np.ones(size, dtype=np.int64),
        confidences=np.full(size, np.nan),
        predicted_at=flights["scheduled_ms"].to_numpy(np.int64) - NEW_YORK_MS,
        labelled_at=flights["landed_ms"].to_numpy(np.int64) - NEW_YORK_MS,
        columns=columns_of(flights),
        has_features=np.ones(size, dtype=np.bool_),
    )


def drift_by_month(season: Season) -> ReportTable:
    """Return the PSI of each feature by month, those with the largest first."""
    reference, scored = columns_of(season.training), season.scored
    months = scored["date"].dt.month
    by_month: dict[int, dict[str, FeatureDrift]] = {
        int(month): {
            one.feature: one
            for one in measure_feature_drift(reference, columns_of(scored[months == month]))
        }
        for month in sorted(months.unique())
    }
    order = sorted(reference, key=lambda name: -max(one[name].psi for one in by_month.values()))
    rows = (
        (
            name,
            *(f"{one[name].psi:.3f}" for one in by_month.values()),
            str(sum(one[name].p_value < 0.01 for one in by_month.values())),
        )
        for name in order
    )
    return ReportTable(
        "Drift per feature: PSI against January to March",
        ("feature", *(f"{month:02d}" for month in by_month), "p < 0.01"),
        tuple(rows),
        (f"PSI of {NOTABLE_PSI} is notable; the last column counts the months.",),
    )


def coverage_verdict(found: ModelMonitoring) -> str:
    """Return how far the coverage of the worst month is from the level."""
    aim = 1 - found.settings.conformal.level
    months = [each.coverage.coverage for each in found.periods if each.coverage is not None]
    worst = max(abs(one - aim) for one in months)
    within = "within" if worst <= TOLERANCE else "NOT within"
    return (
        f"{found.model}: coverage {within} {TOLERANCE} of {aim:.2f} in every period ({worst:.4f})"
    )


def report(season: Season, names: list[str]) -> Iterator[ReportTable | str]:
    """Yield all tables and the run time of each part."""
    settings = MonitoringSettings(features=("carrier", "origin"))
    for name in names:
        start = perf_counter()
        probabilities = MODELS[name](season)
        predicted = perf_counter()
        found = monitor_model(name, monitored_rows(season, probabilities), settings)
        seconds = perf_counter() - predicted
        yield value_table(found)
        yield worst_slice_table(found)
        yield calibration_table([found])
        yield period_table(found)
        yield coverage_verdict(found)
        yield (
            f"{name}: {format_count(len(probabilities))} predictions in {predicted - start:.1f} s,"
            f" monitored in {seconds:.1f} s"
        )
    start = perf_counter()
    yield drift_by_month(season)
    yield f"drift per feature in {perf_counter() - start:.1f} s"


def main(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="online, frozen, or both.")
    ] = None,
    *,
    days: Annotated[int | None, typer.Option(min=1, help="Number of days after March.")] = None,
) -> None:
    """Print slices, calibration, coverage and drift of the demo's models on real flights."""
    chosen = names or list(MODELS)
    if unknown := set(chosen) - set(MODELS):
        raise typer.BadParameter(f"unknown: {', '.join(sorted(unknown))}; choose online or frozen")
    console, season = Console(), Season.load(days)
    for part in report(season, chosen):
        if isinstance(part, str):
            console.print(part, highlight=False)
        else:
            print_tables([part], console)


if __name__ == "__main__":
    typer.run(main)
