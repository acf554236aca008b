"""The figures as tables of words, for whoever prints or draws them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import nan

from modstream.audit.decisions import Decision
from modstream.audit.figures import Figures
from modstream.audit.quality import Quality
from modstream.report.formatting import (
    NOTHING,
    counts,
    date,
    difference,
    duration,
    milliseconds,
    number,
    score,
    share,
    span,
)
from modstream.processors.join.label_stats import quantile

WAYS_OUT = ("asked", "answered", "refused", "dead letter", "repeated", "unanswered")
LEARNED = ("versions", "rows learned", "twice", "skipped", "waiting", "quarantined")
WEIGHED = ("loss from", "loss to", "bound", "errors rose")
REASONS = ("late", "orphan", "duplicate", "revised")
"""Why a label was set aside. What is `missing` is a label, so it has its own line."""

FIGURES = {
    "auc": "AUC of anomaly scores",
    "accuracy": "accuracy",
    "mae": "MAE",
    "rmse": "RMSE",
    "r2": "R2",
}
"""What the figures of values, classes and anomalies are called."""


@dataclass(frozen=True, slots=True)
class Nought:
    """A count that must be nought."""

    count: int

    def __str__(self) -> str:
        return number(self.count)


Cell = str | Nought


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of numbers with a title, and lines on what it does not show."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    lines: tuple[str, ...] = ()


def sheets(figures: Figures) -> tuple[Sheet, ...]:
    """All tables, in the order in which a request lives."""
    made = (_delivery, _labels, _learning, _quality, _decisions, _latency)
    return tuple(sheet for make in made if (sheet := make(figures)).rows)


def _delivery(figures: Figures) -> Sheet:
    found = figures.delivery
    odd = {"phantom answers": found.phantoms, "answers under a wrong id": found.strangers}
    rows = (
        (
            *(one.model, number(one.asked), number(one.answered), number(one.refused)),
            *(number(one.dead), Nought(one.repeated), Nought(one.unanswered)),
        )
        for one in found.models
    )
    return Sheet(
        "Delivery: requests by their way out",
        ("model", *WAYS_OUT),
        tuple(rows),
        _told(
            f"{number(found.requests)} requests, {number(found.illegible)} without a legible id",
            f"errors: {counts(found.errors)}",
            f"dead letters: {counts(found.dead_letters)}",
            counts(odd | {f"broken in {topic}": n for topic, n in figures.broken.items()}),
        ),
    )


def _labels(figures: Figures) -> Sheet:
    found = figures.labels
    again = {"answers joined again": found.repeats, "labels set aside again": found.surplus}
    odd = {
        "unaccounted without a prediction": found.waiting,
        "joins without a label": found.invented,
        "joins that distort": found.distorted,
        "illegible": found.illegible,
    }
    reasons = (number(found.reasons[reason]) for reason in REASONS)
    return Sheet(
        "Labels: what became of them",
        ("labels sent", "joined", *REASONS, "unaccounted"),
        ((number(found.sent), number(found.joined), *reasons, Nought(found.unaccounted)),),
        _told(
            f"predictions given up without a label: {number(found.reasons['missing'])}",
            f"labels came within: {_delays(found.delays)}",
            f"after a crash: {counts(again)}",
            counts(odd),
        ),
    )


def _delays(delays: Mapping[int, int]) -> str:
    """By when how many labels had come."""
    told = ((part, quantile(delays, part)) for part in (0.5, 0.9, 0.99))
    return ", ".join(f"{share(part)} {span(ms)}" for part, ms in told if ms is not None) or NOTHING


def _learning(figures: Figures) -> Sheet:
    rows = (
        (
            *(one.model, number(one.published), number(one.learned)),
            *(Nought(one.learned_twice), Nought(one.skipped + one.orphans)),
            *(number(one.waiting), number(sum(one.quarantined.values()))),
        )
        for one in figures.learning
    )
    rules = (f"quarantined by {one.model}: {counts(one.quarantined)}" for one in figures.learning)
    title = "Learning: the chain of versions"
    return Sheet(title, ("model", *LEARNED), tuple(rows), _told(*rules))


def _quality(figures: Figures) -> Sheet:
    pair = figures.quality if len(figures.quality) == 2 else None

    def row(
        name: str, tell: Callable[[Quality], str], of: Callable[[Quality], float] | None = None
    ) -> tuple[str, ...]:
        told = (name, *map(tell, figures.quality))
        if pair is None:
            return told
        return (*told, "" if of is None else difference(of(pair[0]) - of(pair[1])))

    return Sheet(
        "Quality: predictions against labels by id",
        ("", *figures.route, *(("difference",) if pair else ())),
        (
            row("labelled answers", lambda one: number(one.pairs)),
            row("of all answers", lambda one: share(one.coverage)),
            row("joined by the joiner", lambda one: number(one.joined)),
            row("AUC", lambda one: score(one.auc), lambda one: one.auc),
            row("log loss (nats)", lambda one: score(one.log_loss), lambda one: one.log_loss),
            *(
                row(told, lambda one, name=name: score(one.figures.get(name, nan)))  # type: ignore[misc]
                for name, told in FIGURES.items()
                if any(name in one.figures for one in figures.quality)
            ),
            row("versions that answered", lambda one: number(len(one.versions))),
            row("hot swaps", lambda one: number(one.swaps)),
        ),
    )


def _decisions(figures: Figures) -> Sheet:
    rows = (
        (
            *(date(one.event_time), one.action, f"{one.model} v{one.version}"),
            *(f"{one.former} > {one.member}", number(one.count)),
            *(score(one.former_loss), score(one.member_loss), difference(one.bound)),
            _rise(one),
        )
        for one in figures.decisions
    )
    return Sheet(
        "Decisions of the gate: mean losses on the same labels",
        ("event time", "what", "serves", "from > to", "labels", *WEIGHED),
        tuple(rows),
        ("the bound is what the new one gains at least, but for a chance of alpha",),
    )


def _rise(one: Decision) -> str:
    if one.error_before is None or one.error_after is None:
        return NOTHING
    return f"{one.error_before:.2f} > {one.error_after:.2f}"


def _latency(figures: Figures) -> Sheet:
    flow = figures.pace.throughput
    most = f"{number(flow.peak)} at most"
    rows = (
        (one.model, *map(milliseconds, (one.p50, one.p90, one.p99, one.p99_9, one.max)))
        for one in figures.pace.latency
    )
    return Sheet(
        "Latency: from request to answer in the topic, in ms",
        ("model", "p50", "p90", "p99", "p99.9", "max"),
        tuple(rows),
        (f"{number(flow.mean)} requests/s on average over {duration(flow.seconds)}, {most}",),
    )


def _told(*lines: str) -> tuple[str, ...]:
    """The lines that say something."""
    return tuple(line for line in lines if line != NOTHING and not line.endswith(f": {NOTHING}"))
