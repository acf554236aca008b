"""Conformal sets in answers: their coverage on real flights, and what they cost a worker.

    python -m bench.conformal                      # both models, April to December, every case
    python -m bench.conformal online --case delayed
    python -m bench.conformal --cost

The flights pass through the worker's own request handler and the calibrator's own tracker, without
servers: a request at each scheduled departure, its label at the landing. The thresholds are
published every `--refresh` seconds of event time, by default ten minutes. Whether an answer's set
has the label is counted from the answer itself. The cases:

| case | what is different |
|---|---|
| landing | nothing: labels arrive when the flight lands |
| delayed | labels arrive 48 hours later, the horizon of the joiner |
| killed | the calibrator ends each day, and its successor continues from the stored state |
| switch | another model is promoted on July 1: `frozen` for `online`, or `online` for `frozen` |
| restart | the same, but the state starts again with the new version |
"""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from time import process_time
from typing import Annotated, Any

import msgspec
import numpy as np
import pandas as pd
import typer
from rich.console import Console

from bench.monitoring import MODELS, NEW_YORK_MS, TOLERANCE, Season
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.models.evaluation.arrays import FloatArray
from modstream.models.evaluation.served_sets import OUTPUT_NAME, ServedThreshold, ServedThresholds
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard, Task
from modstream.models.schema.input_schema import Batch, InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.processors.conformal.settings import ServedSetSettings
from modstream.processors.conformal.tracker import ConformalTracker
from modstream.processors.predict.handler import RequestHandler, request_handler
from modstream.processors.predict.model_resolver import SingleModelProvider
from modstream.processors.predict.settings import InferenceSettings
from modstream.report.console import print_tables
from modstream.report.report_table import ReportTable

TOPICS = Topics("bench")
NAME = "model"
COVERAGE = 0.9
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SWITCH_MS = int(datetime(2013, 7, 1, 4, tzinfo=UTC).timestamp() * 1000)
"""July 1 in New York."""
FIRST_LABELS = 2000
"""Number of answers after a switch whose coverage is printed."""
CASES = ("landing", "delayed", "killed", "switch", "restart")
COST_ROWS = 2000
COST_ROUNDS = 31


class EchoRuntime:
    """A runtime whose outputs are the features: one number, or a number for each class."""

    def predict(self, batch: Batch) -> FloatArray:
        """Return the matrix of the batch, or its only column."""
        matrix = np.stack(list(batch.columns.values()), axis=1)
        return matrix[:, 0] if matrix.shape[1] == 1 else matrix


@dataclass(frozen=True, slots=True)
class EchoModel:
    """A loaded version with an `EchoRuntime`."""

    card: ModelCard
    runtime: Any = field(default_factory=EchoRuntime)

    @classmethod
    def of(cls, task: Task = "binary", *, version: int = 1, classes: int = 2) -> "EchoModel":
        """Return a version of a task; a task of several classes has as many features."""
        names = [f"p{at}" for at in range(classes)] if task == "multiclass" else ["p"]
        labels = {"binary": (False, True), "multiclass": tuple(names)}.get(task, ())
        schema = InputSchema.of_floats(names)
        spec = VersionSpec(
            name=NAME, runtime="river", task=task, classes=labels, input_schema=schema
        )
        return cls(spec.make_card(version, Artifact(b"")))


class Answer(msgspec.Struct):
    """What is read of an answer."""

    version: int
    outputs: dict[str, Any]


@dataclass(slots=True)
class Replay:
    """The components of one case: a worker's handlers, a calibrator's tracker, and open flights.

    `has_label` and `size` are, for each flight, whether its set has the label and how many classes
    it has; NaN for answers without a set.
    """

    labels: list[bool]
    probabilities: list[float]
    versions: dict[int, EchoModel] = field(
        default_factory=lambda: {one: EchoModel.of(version=one) for one in (1, 2)}
    )
    thresholds: ServedThresholds = field(default_factory=dict)
    tracker: ConformalTracker = field(init=False)
    handlers: dict[int, RequestHandler] = field(init=False)
    answers: dict[int, Answer] = field(default_factory=dict)
    has_label: FloatArray = field(init=False)
    size: FloatArray = field(init=False)
    offset: int = 0

    def __post_init__(self) -> None:
        """Compose the handlers and the tracker."""
        inference = InferenceSettings((NAME,), record_features=False)
        self.handlers = {
            version: request_handler(
                *(TOPICS, SingleModelProvider(model, frozenset({NAME})), inference),
                thresholds=lambda: self.thresholds,
            )
            for version, model in self.versions.items()
        }
        self.has_label = np.full(len(self.labels), np.nan)
        self.size = np.full(len(self.labels), np.nan)
        self.reset()

    def reset(self) -> None:
        """Begin with a tracker without labels."""
        classes = VersionClasses()
        for model in self.versions.values():
            classes.add(model.card)
        self.tracker = ConformalTracker(ServedSetSettings({NAME: COVERAGE}), classes)

    def kill(self) -> None:
        """Replace the calibrator by one that continues from the stored state."""
        offsets, states = self.tracker.offsets, self.tracker.encode_states()
        self.reset()
        self.tracker.restore(offsets, states)

    def answer(self, flights: list[int], version: int) -> None:
        """Answer the requests of some flights as one batch."""
        batch = [
            Record(
                *(TOPICS.requests, 0, flight, None),
                b'{"id":"%d","features":{"p":%r}}' % (flight, self.probabilities[flight]),
            )
            for flight in flights
        ]
        for flight, record in zip(flights, self.handlers[version](batch).records, strict=True):
            answer = msgspec.json.decode(record.value or b"", type=Answer)
            self.answers[flight] = answer
            if OUTPUT_NAME in answer.outputs:
                found = answer.outputs[OUTPUT_NAME]["set"]
                self.has_label[flight] = self.labels[flight] in found
                self.size[flight] = len(found)

    def label(self, flight: int, time: int) -> None:
        """Add the label of a flight, joined with its answer."""
        answer = self.answers.pop(flight)
        joined = JoinedPrediction(model=NAME, version=answer.version, outputs=answer.outputs)
        feedback = Feedback(
            id=str(flight),
            label=self.labels[flight],
            predictions=(joined,),
            event_time=time,
            label_time=time,
        )
        record = Record(TOPICS.feedback, 0, self.offset, None, encode(feedback))
        self.offset += 1
        self.tracker.add([record])


def replay(season: Season, probabilities: FloatArray, case: str, refresh: int) -> Replay:
    """Return the replay of all scored flights in one case."""
    flights = season.scored
    departures = flights["scheduled_ms"].tolist()
    late = 48 * HOUR_MS if case == "delayed" else 0
    landings = [time + late for time in flights["landed_ms"].tolist()]
    found = Replay(flights["late"].astype(bool).tolist(), probabilities.tolist())
    in_air: list[tuple[int, int]] = []
    version, killed = 1, departures[0]
    for start, stop in windows(departures, refresh * 1000):
        now = departures[start]
        while in_air and in_air[0][0] <= now:
            landed, flight = heapq.heappop(in_air)
            found.label(flight, landed)
        if case == "killed" and now - killed >= DAY_MS:
            found.kill()
            killed = now
        if case in {"switch", "restart"} and version == 1 and now >= SWITCH_MS:
            version = 2
            if case == "restart":
                found.reset()
        found.thresholds = found.tracker.thresholds()
        found.answer(list(range(start, stop)), version)
        for flight in range(start, stop):
            heapq.heappush(in_air, (max(landings[flight], now + 1), flight))
    return found


def windows(times: list[int], length: int) -> Iterator[tuple[int, int]]:
    """Yield the first position in each window of `length` ms that is not empty, and the next."""
    start = 0
    for position, time in enumerate(times):
        if time >= times[start] + length:
            yield start, position
            start = position
    yield start, len(times)


def coverage_table(season: Season, found: Replay, title: str) -> tuple[ReportTable, float]:
    """Return the coverage by month, and how far that of the worst month is from the aim."""
    local = pd.to_datetime(season.scored["scheduled_ms"] - NEW_YORK_MS, unit="ms")
    months = local.dt.strftime("%Y-%m").to_numpy()
    rows: list[tuple[str, ...]] = []
    worst = 0.0
    for month in sorted(set(months.tolist())):
        inside = (months == month) & ~np.isnan(found.has_label)
        sizes = found.size[inside]
        coverage = float(found.has_label[inside].mean())
        worst = max(worst, abs(coverage - COVERAGE))
        without = int((months == month).sum() - inside.sum())
        shares = (coverage, float((sizes == 1).mean()), float((sizes == 0).mean()))
        counts = f"{inside.sum():,}", f"{without:,}"
        rows.append((month, *counts, *(f"{share:.2%}" for share in shares)))
    columns = ("month", "sets", "without", "coverage", "one class", "no class")
    return ReportTable(title, columns, tuple(rows)), worst


def after_switch(season: Season, found: Replay) -> str:
    """Return the coverage of the first answers with a set after the switch."""
    departures = season.scored["scheduled_ms"].to_numpy()
    first = np.flatnonzero(departures >= SWITCH_MS)[:FIRST_LABELS]
    served = found.has_label[first]
    without = int(np.isnan(served).sum())
    coverage = float(np.nanmean(served))
    return f"  first {len(first):,} answers after the switch: {coverage:.2%}, {without:,} without"


def report(season: Season, names: list[str], cases: list[str], refresh: int) -> Iterator[Any]:
    """Yield the tables and the verdict of each case."""
    all_probabilities = {name: predict(season) for name, predict in MODELS.items()}
    departures = season.scored["scheduled_ms"].to_numpy()
    for name in names:
        other = next(one for one in MODELS if one != name)
        for case in cases:
            probabilities = all_probabilities[name]
            is_switch = case in {"switch", "restart"}
            if is_switch:
                later = departures >= SWITCH_MS
                probabilities = np.where(later, all_probabilities[other], probabilities)
            found = replay(season, probabilities, case, refresh)
            label = f"{name}, then {other}" if is_switch else name
            table, worst = coverage_table(season, found, f"{label}: {case}")
            yield table
            within = "within" if worst <= TOLERANCE else "NOT within"
            aim = f"{within} {TOLERANCE} of {COVERAGE} in every month"
            yield f"{label}, {case}: {aim} ({worst:.4f})"
            if is_switch:
                yield after_switch(season, found)


def cost() -> Iterator[ReportTable]:
    """Yield the processor time of a handler per record, without and with sets, by task."""
    rows: list[tuple[str, ...]] = []
    generator = np.random.default_rng(0)
    for task, classes in (("binary", 2), ("multiclass", 3), ("multiclass", 100), ("regression", 1)):
        model = EchoModel.of(task, classes=classes)  # type: ignore[arg-type]
        values = generator.dirichlet(np.ones(max(classes, 2)), COST_ROWS)
        names = model.card.input_schema.names
        batch = [
            Record(
                *(TOPICS.requests, 0, at, None),
                msgspec.json.encode(
                    {"id": str(at), "features": dict(zip(names, row.tolist(), strict=False))}
                ),
            )
            for at, row in enumerate(values)
        ]
        threshold = ServedThreshold(model.card.task, COVERAGE, 100_000, 0.6)
        off, on = (handler_of(model, one) for one in ({}, {NAME: threshold}))
        ratios, times = [], []
        for _ in range(COST_ROUNDS):
            first, second = seconds_of(off, batch), seconds_of(on, batch)
            ratios.append(second / first)
            times.append((first, second))
        figures = [median(one) / COST_ROWS * 1e6 for one in zip(*times, strict=True)]
        shown = (*(f"{one:.2f}" for one in figures), f"{median(ratios):.3f}")
        rows.append((f"{task}, {classes}", *shown))
    columns = ("task, classes", "off, us", "on, us", "on / off")
    yield ReportTable("Processor time of the handler per record", columns, tuple(rows))


def handler_of(model: EchoModel, thresholds: Mapping[str, ServedThreshold]) -> RequestHandler:
    """Return a handler whose answers have sets if there is a threshold."""
    settings = InferenceSettings((NAME,))
    provider = SingleModelProvider(model, frozenset({NAME}))
    return request_handler(TOPICS, provider, settings, thresholds=lambda: thresholds)


def seconds_of(handle: RequestHandler, batch: list[Record]) -> float:
    """Return the processor time of one batch."""
    start = process_time()
    handle(batch)
    return process_time() - start


def main(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="online, frozen, or both.")
    ] = None,
    *,
    case: Annotated[list[str] | None, typer.Option(help=", ".join(CASES))] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Number of days after March.")] = None,
    refresh: Annotated[int, typer.Option(min=1, help="Seconds between thresholds.")] = 600,
    is_cost: Annotated[bool, typer.Option("--cost", help="Measure the cost instead.")] = False,
) -> None:
    """Print the coverage of the sets in answers, or what they cost."""
    console = Console()
    chosen, cases = names or list(MODELS), case or list(CASES)
    if unknown := (set(chosen) - set(MODELS)) | (set(cases) - set(CASES)):
        raise typer.BadParameter(f"unknown: {', '.join(sorted(unknown))}")
    parts = cost() if is_cost else report(Season.load(days), chosen, cases, refresh)
    for part in parts:
        if isinstance(part, str):
            console.print(part, highlight=False)
        else:
            print_tables([part], console)


if __name__ == "__main__":
    typer.run(main)
