"""The gate on real flights and on streams made by seed; no broker is involved.

    python -m bench.gate flights 2013-04-01 2014-01-01    # regret, and what frozen would have done;
                                                          # from April on, the members know the rest
    python -m bench.gate poison                           # bursts of flipped labels in June
    python -m bench.gate drift                            # delay and false alarms over 20 seeds
    python -m bench.gate twins                            # A/A: wrong promotions over 200 seeds

docs/learning.md has the figures.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import typer
from river import linear_model, optim

from bench import gate_report
from bench.simulation import TURN, Rehearsal, Row
from modstream.broker.wire.topics import Topics
from modstream.demo.seed import FAMILY, landed, make_frozen, make_member
from modstream.models.runtimes.river import runtime
from modstream.models.runtimes.river.runtime import RiverRuntime
from modstream.models.runtimes.runtime import load
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import InputSchema
from modstream.processors.learn.learner import Learner
from modstream.processors.promote.champion_challenger import Family
from modstream.processors.promote.gate import GOOD, Gate
from modstream.processors.promote.settings import GateSettings
from modstream.processors.promote.state_history import MINUTE_MS
from modstream.processors.promote.state_rollback import Still
from modstream.producers.replay.flights import flights_between, load_flights
from modstream.producers.replay.replay import What, timeline

app = typer.Typer(help=__doc__, add_completion=False)
MAY, JUNE = date(2013, 5, 1), (date(2013, 6, 1), date(2013, 7, 1))


def flight_rows(start: date, end: date) -> Iterator[Row]:
    """Flights that landed, in event time."""
    for event in timeline(flights_between(load_flights(), start, end)):
        flight = event.flight
        if flight.late is not None:
            is_label = event.what is What.LABEL
            yield Row(is_label, event.at, flight.features, flight.late, flight.scheduled_ms)


def flight_family(settings: GateSettings, *members: str) -> Family:
    """Members of the demo's family, taught from January to March; the first serves."""
    past = landed(load_flights())
    learners = {}
    for name in members:
        made, artifact = make_member(past, lambda *_: None, name, FAMILY[name])
        card = made.card(1, artifact)
        learners[name] = Learner(card, runtime.load(artifact, card), Topics("s"))
    return Family(learners, Gate(members[0], settings))


def with_batch(family: Family) -> Family:
    """The same with the demo's batch model, taught from January to March, too."""
    past = landed(load_flights())
    made, artifact = make_frozen(past, lambda *_: None)
    card = made.card(1, artifact)
    family.seat("batch", Still(card, load(artifact, card)))
    return family


def midnight(day: date) -> int:
    """The first ms of a day in New York, near enough."""
    return int(datetime(day.year, day.month, day.day, 5, tzinfo=UTC).timestamp() * 1000)


@app.command()
def flights(start: str, end: str, page: Path = Path("report/gate.html")) -> None:
    """The served answers against each member's, and a page with a plot of them."""
    first, last = date.fromisoformat(start), date.fromisoformat(end)
    run = Rehearsal(with_batch(flight_family(GateSettings(), *FAMILY)))
    run.run(flight_rows(first, last))
    told = figures(run)
    for line in told:
        say(line)
    for label, decision in run.decided:
        say(f"label {label}: {decision.action} {decision.member}: {decision.because}")
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(gate_report.page(run, told), encoding="utf-8")
    say(f"report: {page}")


def figures(run: Rehearsal) -> list[str]:
    """What came of a family, in sentences."""
    found = {name: run.auc(name) for name in run.said}
    best = max(value for name, value in found.items() if name != gate_report.SERVED)
    served = found[gate_report.SERVED]
    return [
        *(f"{name}: AUC {value:.4f}" for name, value in found.items()),
        f"{len(run.alarmed)} alarms, held for {held(run):,} of {run.labels:,} labels",
        f"gain over batch {served - found['batch']:+.4f}",
        f"regret {best - served:+.4f} on {len(run.truths):,} flights",
    ]


def held(run: Rehearsal) -> int:
    """Labels that came while the last good version served."""
    marks = [*(label for label, _ in run.decided), run.labels]
    spans = zip(run.decided, pairwise(marks), strict=True)
    return sum(end - start for (_, one), (start, end) in spans if one.member == GOOD)


@app.command()
def poison(at: float = 0.5) -> None:
    """Bursts of labels that are all flipped, of 1, 5 and 10% of a month's labels.

    They begin after that part of June's labels. What a burst costs is what the answers served in
    June lose in AUC against those of the run without one.
    """
    rows = list(flight_rows(MAY, JUNE[1]))
    labels = sum(row.is_label for row in rows)
    month = sum(row.is_label and row.at >= midnight(JUNE[0]) for row in rows)
    start = labels - int(month * (1 - at))
    clean = None
    for share in (0.0, 0.01, 0.05, 0.1):
        flip = Flip(start, start + int(share * month))
        run = Rehearsal(flight_family(GateSettings(), "steady"), flip)
        run.run(rows, midnight(JUNE[0]))
        clean = run.auc("served") if clean is None else clean
        back = [label - start for label, one in run.decided if one.is_alarm and start <= label]
        served, alone = run.auc("served"), run.auc("steady")
        say(f"{share:.0%} flipped, {flip.stop - start:,} labels: AUC {served:.4f} in June", end="")
        say(f" ({served - clean:+.4f}), {alone:.4f} by steady; ", end="")
        say(f"rolled back after {back[0] if back else 'no'} labels")
        say(f"    {[(label - start, one.because) for label, one in run.decided]}")


@dataclass(frozen=True, slots=True)
class Flip:
    """Flips every label from the `start`-th up to the `stop`-th."""

    start: int
    stop: int

    def __call__(self, number: int, truth: bool) -> bool:  # noqa: FBT001 - it is the label itself
        """What the learner is told."""
        return truth != (self.start <= number < self.stop)


def synthetic(seed: int, labels: int, drift_at: int | None = None) -> Iterator[Row]:
    """Requests, each with its label, which follows x + y with noise, after `drift_at` x - y."""
    rng = np.random.default_rng(seed)
    for number, (x, y) in enumerate(rng.normal(size=(labels, 2)).tolist()):
        sign = 1 if drift_at is None or number < drift_at else -1
        truth = bool(rng.random() < 1 / (1 + np.exp(-2 * (x + sign * y))))
        yield Row(False, number * MINUTE_MS, {"x": x, "y": y}, truth)
        yield Row(True, number * MINUTE_MS, {"x": x, "y": y}, truth, number * MINUTE_MS)


def small_family(settings: GateSettings, *rates: float) -> Family:
    """Logistic regressions on x and y, one for each learning rate."""
    schema = InputSchema.floats(["x", "y"])
    learners = {}
    for rate in rates:
        model = linear_model.LogisticRegression(optimizer=optim.SGD(rate))
        facts = {"runtime": "river", "task": "binary", "classes": (False, True)}
        card = ModelCard(
            **facts, name="m", version=1, input_schema=schema, sha256="0" * 64, size=0,
            created=datetime.now(UTC),
        )  # fmt: skip
        learners[f"rate-{rate:g}"] = Learner(card, RiverRuntime(model, card), Topics("s"))
    return Family(learners, Gate(next(iter(learners)), settings))


@app.command()
def drift(seeds: int = 20, stationary: int = 20_000) -> None:
    """How soon an abrupt change is noticed, and how often one that is none."""
    delays, false = [], 0
    for seed in range(seeds):
        rows = synthetic(seed, stationary + 1000, drift_at=stationary)
        family = small_family(GateSettings(chunk=TURN), 0.02)
        run = Rehearsal(family).run(rows)
        false += sum(label <= stationary for label in run.alarmed)
        delays.append(min(label - stationary for label in run.alarmed if label > stationary))
    say(f"delays in labels: {delays}; {false} false alarms on {seeds * stationary:,} labels")


@app.command()
def twins(seeds: int = 200, labels: int = 10_000) -> None:
    """Two equal models that err independently: how often one is promoted over the other."""
    settings = GateSettings(margin=0.0)
    wrong = sum(promoted(seed, labels, settings) for seed in range(seeds))
    say(f"{wrong} wrong promotions in {seeds} seeds, alpha {settings.alpha:g}")


def promoted(seed: int, labels: int, settings: GateSettings) -> bool:
    """Whether one of two equal models was promoted over the other."""
    rng, gate = np.random.default_rng(seed), Gate("a", settings)
    truth = rng.random(labels) < 0.25
    says = np.clip(np.where(truth, 0.4, 0.2) + rng.normal(0, 0.1, (2, labels)), 0, 1)
    loss = np.square(says - truth)
    for start in range(0, labels, settings.chunk):
        part = slice(start, start + settings.chunk)
        if gate.weigh({"a": loss[0, part], "b": loss[1, part]}, np.empty(0)) is not None:
            return True
    return False


def say(told: str, end: str = "\n") -> None:
    """Print at once."""
    print(told, end=end, flush=True)  # noqa: T201 - a script's result


if __name__ == "__main__":
    app()
