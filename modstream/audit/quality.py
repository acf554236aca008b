"""How good the answers were: predictions held against labels by id, over event time."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan

import numpy as np

from modstream.audit.audit_tables import Answers
from modstream.audit.columns import Floats, Ints, Mask
from modstream.audit.labels import first_rows
from modstream.audit.stream_audit import Ledger
from modstream.models.evaluation.metrics import auc, figures, log_loss

HOUR = 3_600_000
DAY = 24 * HOUR
WEEK = 7 * DAY
FEWEST = 30
"""Pairs below which a bin's figures are mostly chance and are left out."""


@dataclass(frozen=True, slots=True)
class Span:
    """The event time of all scored answers, in bins of `width` from `origin` on; all in ms."""

    first: int
    last: int
    origin: int
    width: int


@dataclass(frozen=True, slots=True)
class Bin:
    """The answers of one stretch of event time, which begins at `start` (ms)."""

    start: int
    pairs: int
    auc: float
    log_loss: float


@dataclass(frozen=True, slots=True)
class Served:
    """A version, and the first request that it answered: wall time and event time (ms)."""

    version: int
    answers: int
    at: int
    event_time: int


@dataclass(frozen=True, slots=True)
class Quality:
    """One model's answers against the truth.

    `pairs` are the answers with a label in the topics, of all `answered`; `joined` those that the
    joiner joined.
    `swaps` counts the versions that took over from another while requests were flowing.
    `auc` and `log_loss` (nats) are NaN unless answers are probabilities and labels 0 and 1;
    `figures` are those of other tasks, by name.
    """

    model: str
    answered: int
    pairs: int
    joined: int
    auc: float
    log_loss: float
    figures: Mapping[str, float]
    span: Span
    bins: tuple[Bin, ...]
    versions: tuple[Served, ...]

    @property
    def coverage(self) -> float:
        """The share of answers that have a label yet; what the figures are of."""
        return self.pairs / self.answered if self.answered else nan

    @property
    def swaps(self) -> int:
        """Hot swaps seen in the answers."""
        return max(len(self.versions) - 1, 0)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Truths, answers, and event times (ms) of the requests; all (n,)."""

    truth: Floats
    value: Floats
    event_time: Ints

    def where(self, mask: Mask) -> "Pairs":
        """Those that a mask (n,) picks."""
        return Pairs(self.truth[mask], self.value[mask], self.event_time[mask])


def quality(ledger: Ledger) -> tuple[Quality, ...]:
    """Score every model of the route."""
    found = {model: _pairs(ledger, ledger.answers[model]) for model in ledger.route}
    times = np.concatenate([pairs.event_time for pairs in found.values()])
    first, last = (int(times.min()), int(times.max())) if len(times) else (0, 0)
    width = bin_width(last - first)
    span = Span(first, last, first - first % min(width, DAY), width)
    return tuple(_quality(ledger, model, pairs, span) for model, pairs in found.items())


def bin_width(span: int) -> int:
    """The width (ms) that shows a span of event time: weeks of months, days of weeks, hours."""
    if span > 10 * WEEK:
        return WEEK
    return DAY if span > 3 * DAY else HOUR


def _quality(ledger: Ledger, model: str, pairs: Pairs, span: Span) -> Quality:
    joins = ledger.joins.get(model)
    return Quality(
        model=model,
        answered=len(first_rows(ledger, ledger.answers[model])[0]),
        pairs=len(pairs.truth),
        joined=int((joins.count.ints(len(ledger.ids)) > 0).sum()) if joins else 0,
        auc=auc(pairs.truth, pairs.value),
        log_loss=log_loss(pairs.truth, pairs.value),
        figures=_of_other_tasks(ledger, ledger.answers[model]),
        span=span,
        bins=_bins(pairs, span),
        versions=_served(ledger, ledger.answers[model]),
    )


def _pairs(ledger: Ledger, answers: Answers) -> Pairs:
    """Join predictions with labels by id; what is no probability or no 0 or 1 is left out."""
    joined = _joined(ledger, answers)
    is_told = np.isin(joined.truth, (0.0, 1.0)) & (joined.value >= 0) & (joined.value <= 1)
    return joined.where(is_told & (answers.task in {None, "binary"}))


def _of_other_tasks(ledger: Ledger, answers: Answers) -> dict[str, float]:
    """The figures of values, anomaly scores, and numbered classes."""
    joined = _joined(ledger, answers)
    told = joined.where(np.isfinite(joined.truth) & np.isfinite(joined.value))
    if answers.task in {"regression", "anomaly"}:
        return figures(told.truth.tolist(), told.value.tolist(), answers.task)
    if answers.task == "multiclass" and len(told.truth):
        return {"accuracy": float(np.mean(told.truth == told.value))}
    return {}


def _joined(ledger: Ledger, answers: Answers) -> Pairs:
    size = len(ledger.requests.rows)
    numbers, rows = first_rows(ledger, answers)
    return Pairs(
        ledger.truths.last.floats(len(ledger.ids))[numbers],
        answers.value.floats(size)[rows],
        ledger.requests.event_time.ints(size)[rows],
    )


def _bins(pairs: Pairs, span: Span) -> tuple[Bin, ...]:
    order = np.argsort(pairs.event_time, kind="stable")
    places = (pairs.event_time[order] - span.origin) // span.width
    numbers, starts = np.unique(places, return_index=True)
    starts_ms = (span.origin + numbers * span.width).tolist()
    parts = np.split(order, starts[1:])
    return tuple(
        Bin(start, len(part), *_figures(pairs.truth[part], pairs.value[part]))
        for start, part in zip(starts_ms, parts, strict=False)
    )


def _figures(truth: Floats, value: Floats) -> tuple[float, float]:
    if len(truth) < FEWEST:
        return nan, nan
    return auc(truth, value), log_loss(truth, value)


def _served(ledger: Ledger, answers: Answers) -> tuple[Served, ...]:
    """Every version in the order in which it first answered."""
    size = len(ledger.requests.rows)
    rows = np.flatnonzero(answers.count.ints(size))
    at, version = answers.at.ints(size)[rows], answers.version.ints(size)[rows]
    event_time = ledger.requests.event_time.ints(size)[rows]
    order = np.lexsort((version, at))
    versions, first, counts = np.unique(version[order], return_index=True, return_counts=True)
    served = [
        Served(int(number), int(count), int(at[row]), int(event_time[row]))
        for number, count, row in zip(versions, counts, order[first], strict=True)
    ]
    return tuple(sorted(served, key=lambda one: (one.at, one.version)))
