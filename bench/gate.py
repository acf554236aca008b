"""The promotion gate on real flights and on synthetic streams; no broker is involved.

    python -m bench.gate flights 2013-04-01 2014-01-01    # regret, and the gain over the batch
                                                          # model; candidates are trained on Q1
    python -m bench.gate poison                           # bursts of flipped labels in June
    python -m bench.gate drift                            # delay and false alarms over 20 seeds
    python -m bench.gate twins                            # A/A: wrong promotions over 200 seeds

docs/learning.md has the results.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
import typer

from bench import gate_report
from bench.simulation import MICRO_BATCH, SERVED, GateSimulation, SimulatedEvent
from modstream.broker.wire.topics import Topics
from modstream.demo.seed import (
    CANDIDATE_PIPELINES,
    build_candidate,
    build_frozen,
    select_training_flights,
)
from modstream.models.registry.refs import LAST_GOOD
from modstream.models.runtimes.river import runtime
from modstream.models.runtimes.runtime import LearningRuntime, Runtime, load
from modstream.models.schema.artifact import Artifact
from modstream.processors.learn.learner import Learner
from modstream.processors.promote.champion_challenger import ChampionChallenger
from modstream.processors.promote.gate import PromotionGate
from modstream.processors.promote.settings import GateSettings
from modstream.processors.promote.state_rollback import FrozenModel
from modstream.producers.replay.flights import flights_between, load_flights
from modstream.producers.replay.replay import EventKind, timeline
from tests.processors.promote.synthetic_stream import (
    LabelFlip,
    small_candidates,
    synthetic_events,
)

app = typer.Typer(help=__doc__, add_completion=False)
MAY, JUNE = date(2013, 5, 1), (date(2013, 6, 1), date(2013, 7, 1))


def flight_events(start: date, end: date) -> Iterator[SimulatedEvent]:
    """Yield requests and labels of flights that landed, in event time."""
    for event in timeline(flights_between(load_flights(), start, end)):
        flight = event.flight
        if flight.late is not None:
            is_label = event.kind is EventKind.LABEL
            yield SimulatedEvent(
                is_label, event.event_time, flight.features, flight.late, flight.scheduled_ms
            )


def flight_candidates(settings: GateSettings, *names: str) -> ChampionChallenger:
    """Return candidates of the demo, trained on January to March; the first serves."""
    past = select_training_flights(load_flights())
    learners = {}
    for name in names:
        spec, content = build_candidate(past, lambda *_: None, name, CANDIDATE_PIPELINES[name])
        artifact = Artifact(content)
        card = spec.make_card(1, artifact)
        learners[name] = Learner(
            card, cast(LearningRuntime, runtime.load(content, card)), Topics("s")
        )
    return ChampionChallenger(learners, PromotionGate(names[0], settings))


def add_batch_model(candidates: ChampionChallenger) -> ChampionChallenger:
    """Add the demo's batch model, trained on January to March; return the candidates."""
    past = select_training_flights(load_flights())
    spec, content = build_frozen(past, lambda *_: None)
    artifact = Artifact(content)
    card = spec.make_card(1, artifact)
    candidates.replace_frozen("batch", FrozenModel(card, cast(Runtime, load(artifact, card))))
    return candidates


def midnight(day: date) -> int:
    """Return the start of a day in New York, in ms since the epoch, without daylight saving."""
    return int(datetime(day.year, day.month, day.day, 5, tzinfo=UTC).timestamp() * 1000)


@app.command()
def flights(start: str, end: str, page: Path = Path("report/gate.html")) -> None:
    """Compare the champion's AUC with each candidate's on flights, and write a report."""
    first, last = date.fromisoformat(start), date.fromisoformat(end)
    run = GateSimulation(add_batch_model(flight_candidates(GateSettings(), *CANDIDATE_PIPELINES)))
    run.run(flight_events(first, last))
    lines = summary(run)
    for line in lines:
        print_now(line)
    for at, _, decision in run.decisions:
        candidate = decision.evidence.candidate
        print_now(f"label {at}: {decision.action} {candidate}: {decision.reason}")
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(gate_report.render_gate_page(run, lines), encoding="utf-8")
    print_now(f"report: {page}")


def summary(run: GateSimulation) -> list[str]:
    """Return the results of a simulation, one sentence each."""
    aucs = {name: run.auc(name) for name in run.scores}
    best = max(value for name, value in aucs.items() if name != SERVED)
    served, rolled_back = aucs[SERVED], labels_on_last_good(run)
    return [
        *(f"{name}: AUC {value:.4f}" for name, value in aucs.items()),
        f"{len(run.alarm_labels)} alarms",
        f"last-good version served for {rolled_back:,} of {run.label_count:,} labels",
        f"gain over batch {served - aucs['batch']:+.4f}",
        f"regret {best - served:+.4f} on {len(run.labels):,} flights",
    ]


def labels_on_last_good(run: GateSimulation) -> int:
    """Return the number of labels that arrived while the last-good version served."""
    marks = [*(one.label_count for one in run.decisions), run.label_count]
    terms = zip(run.decisions, pairwise(marks), strict=True)
    return sum(
        end - start for one, (start, end) in terms if one.decision.evidence.candidate == LAST_GOOD
    )


@app.command()
def poison(at: float = 0.5) -> None:
    """Flip bursts of 1, 5 and 10% of June's labels.

    A burst starts after the share `at` of June's labels. Its cost is the loss in AUC of the served
    scores in June, against the run without a burst.
    """
    events = list(flight_events(MAY, JUNE[1]))
    labels = sum(event.is_label for event in events)
    month = sum(event.is_label and event.time >= midnight(JUNE[0]) for event in events)
    start = labels - int(month * (1 - at))
    clean = None
    for share in (0.0, 0.01, 0.05, 0.1):
        flip = LabelFlip(start, start + int(share * month))
        run = GateSimulation(flight_candidates(GateSettings(), "steady"), flip)
        run.run(events, midnight(JUNE[0]))
        served, alone = run.auc(SERVED), run.auc("steady")
        clean = served if clean is None else clean
        delays = [
            one.label_count - start
            for one in run.decisions
            if one.decision.action == "rollback" and start <= one.label_count
        ]
        print_now(
            f"{share:.0%} flipped, {flip.stop - start:,} labels: AUC {served:.4f} in June"
            f" ({served - clean:+.4f}), {alone:.4f} by steady;"
            f" rolled back after {delays[0] if delays else 'no'} labels"
        )
        print_now(
            f"    {[(one.label_count - start, one.decision.reason) for one in run.decisions]}"
        )


@app.command()
def drift(seeds: int = 20, stationary: int = 20_000) -> None:
    """Measure after how many labels an abrupt drift is detected, and count false alarms."""
    delays, false_alarms = [], 0
    for seed in range(seeds):
        events = synthetic_events(seed, stationary + 1000, drift_at=stationary)
        candidates = small_candidates(GateSettings(chunk_rows=MICRO_BATCH), 0.02)
        run = GateSimulation(candidates).run(events)
        false_alarms += sum(label <= stationary for label in run.alarm_labels)
        delays.append(min(label - stationary for label in run.alarm_labels if label > stationary))
    labels = seeds * stationary
    print_now(f"delays in labels: {delays}; {false_alarms} false alarms on {labels:,} labels")


@app.command()
def twins(seeds: int = 200, labels: int = 10_000) -> None:
    """Count how often one of two equal models with independent errors is promoted."""
    settings = GateSettings(margin=0.0)
    wrong = sum(is_twin_promoted(seed, labels, settings) for seed in range(seeds))
    print_now(f"{wrong} wrong promotions in {seeds} seeds, alpha {settings.alpha:g}")


def is_twin_promoted(seed: int, labels: int, settings: GateSettings) -> bool:
    """Return whether one of two equal models is promoted over the other."""
    rng, gate = np.random.default_rng(seed), PromotionGate("a", settings)
    truths = rng.random(labels) < 0.25
    scores = np.clip(np.where(truths, 0.4, 0.2) + rng.normal(0, 0.1, (2, labels)), 0, 1)
    losses = np.square(scores - truths)
    for start in range(0, labels, settings.chunk_rows):
        part = slice(start, start + settings.chunk_rows)
        if gate.update({"a": losses[0, part], "b": losses[1, part]}) is not None:
            return True
    return False


def print_now(line: str) -> None:
    """Print a line without buffering."""
    print(line, flush=True)  # noqa: T201 - a script's result


if __name__ == "__main__":
    app()
