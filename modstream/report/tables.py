"""The result of an audit as tables of text, shared by the console and HTML reports."""

from collections.abc import Callable, Mapping
from math import nan

from modstream.audit.quality import ModelQuality
from modstream.audit.result import AuditResult
from modstream.processors.join.label_stats import delay_quantile
from modstream.report.absent_parts import has_labels
from modstream.report.candidate_table import candidate_table
from modstream.report.decision_table import decision_table
from modstream.report.formatting import (
    PLACEHOLDER,
    format_count,
    format_counts,
    format_difference,
    format_duration,
    format_interval,
    format_ms,
    format_percent,
    format_score,
)
from modstream.report.report_table import Cell, ExpectedZero, ReportTable

DELIVERY_COLUMNS = ("requests", "predicted", "errors", "dead letters", "duplicate", "missing")
LEARNING_COLUMNS = ("versions", "rows learned", "twice", "skipped", "pending", "quarantined")
UNJOINED_COLUMNS = ("late", "orphan", "duplicate", "revised")
"""Reasons for unjoined labels that have columns; the others share a line. `missing` counts
predictions, so it has its own line."""

METRIC_TITLES = {
    "auc": "AUC of anomaly scores",
    "accuracy": "accuracy",
    "mae": "MAE",
    "rmse": "RMSE",
    "r2": "R2",
}
"""Titles of the metrics of tasks other than binary classification."""


def report_tables(result: AuditResult) -> tuple[ReportTable, ...]:
    """Return all tables that have rows, in the order in which a request passes the stages."""
    builders = (
        _delivery_table,
        _label_table,
        _learning_table,
        _quality_table,
        candidate_table,
        decision_table,
        _latency_table,
    )
    return tuple(table for build in builders if (table := build(result)).rows)


def _delivery_table(result: AuditResult) -> ReportTable:
    audit = result.delivery
    anomalies = {
        "phantom responses": audit.phantoms,
        "responses with a wrong id": audit.id_mismatches,
    }
    rows = (
        (
            *(
                one.model,
                format_count(one.requests),
                format_count(one.predictions),
                format_count(one.errors),
            ),
            *(
                format_count(one.dead_letters),
                ExpectedZero(one.duplicates),
                ExpectedZero(one.missing),
            ),
        )
        for one in audit.models
    )
    return ReportTable(
        "Delivery: requests by outcome",
        ("model", *DELIVERY_COLUMNS),
        tuple(rows),
        _non_empty(
            f"{format_count(audit.requests)} requests",
            f"requests without a readable id: {format_count(audit.unreadable_ids)}",
            f"errors: {format_counts(audit.errors)}",
            f"dead letters: {format_counts(audit.dead_letters)}",
            format_counts(
                anomalies | {f"malformed in {topic}": n for topic, n in result.malformed.items()}
            ),
        ),
    )


def _label_table(result: AuditResult) -> ReportTable:
    audit = result.labels
    repeated = {
        "predictions joined again": audit.repeated_joins,
        "labels unjoined again": audit.repeated_unjoined,
    }
    anomalies = {
        "not accounted for, without a prediction": audit.without_prediction,
        "joins without a label": audit.joins_without_label,
        "joins with altered content": audit.altered_joins,
        "unreadable": audit.unreadable,
    }
    others = {
        reason: count
        for reason, count in audit.unjoined.items()
        if reason not in (*UNJOINED_COLUMNS, "missing")
    }
    reasons = (format_count(audit.unjoined[reason]) for reason in UNJOINED_COLUMNS)
    outcomes = (format_count(audit.sent), format_count(audit.joined), *reasons)
    row: tuple[Cell, ...] = (*outcomes, ExpectedZero(audit.unaccounted))
    return ReportTable(
        "Labels by outcome",
        ("labels sent", "joined", *UNJOINED_COLUMNS, "missing"),
        (row,) if has_labels(result) else (),
        _non_empty(
            f"predictions whose label never arrived: {format_count(audit.unjoined['missing'])}",
            f"labels that cannot be joined: {format_counts(others)}",
            f"labels arrived within: {_format_delays(audit.delays)}",
            f"repeated after a crash: {format_counts(repeated)}",
            format_counts(anomalies),
        ),
    )


def _format_delays(delays: Mapping[int, int]) -> str:
    """Return the delays within which 50 %, 90 % and 99 % of the labels arrived."""
    quantiles = ((part, delay_quantile(delays, part)) for part in (0.5, 0.9, 0.99))
    return (
        ", ".join(
            f"{format_percent(part)} {format_interval(ms)}"
            for part, ms in quantiles
            if ms is not None
        )
        or PLACEHOLDER
    )


def _learning_table(result: AuditResult) -> ReportTable:
    rows = (
        (
            *(one.model, format_count(one.versions), format_count(one.rows_learned)),
            *(
                ExpectedZero(one.rows_learned_twice),
                ExpectedZero(one.rows_skipped + one.orphaned_versions),
            ),
            *(format_count(one.rows_pending), format_count(sum(one.rows_quarantined.values()))),
        )
        for one in result.learning
    )
    rules = (
        f"quarantined by {one.model}: {format_counts(one.rows_quarantined)}"
        for one in result.learning
    )
    title = "Learning: the chain of versions"
    return ReportTable(title, ("model", *LEARNING_COLUMNS), tuple(rows), _non_empty(*rules))


def _quality_table(result: AuditResult) -> ReportTable:
    pair = result.quality if len(result.quality) == 2 else None

    def row(
        name: str,
        render: Callable[[ModelQuality], str],
        value: Callable[[ModelQuality], float] | None = None,
    ) -> tuple[str, ...]:
        cells = (name, *map(render, result.quality))
        if pair is None:
            return cells
        difference = "" if value is None else format_difference(value(pair[0]) - value(pair[1]))
        return (*cells, difference)

    labelled_rows = (
        row("labelled predictions", lambda one: format_count(one.labelled)),
        row("share of all predictions", lambda one: format_percent(one.coverage)),
        row("joined by the joiner", lambda one: format_count(one.joined)),
        row("AUC", lambda one: format_score(one.auc), lambda one: one.auc),
        row("log loss (nats)", lambda one: format_score(one.log_loss), lambda one: one.log_loss),
    )
    title = "Quality: predictions compared with labels by id"
    return ReportTable(
        title if has_labels(result) else "Versions",
        ("", *result.route, *(("difference",) if pair else ())),
        (
            *(labelled_rows if has_labels(result) else ()),
            *(
                row(title, lambda one, name=name: format_score(one.metrics.get(name, nan)))  # type: ignore[misc]
                for name, title in METRIC_TITLES.items()
                if any(name in one.metrics for one in result.quality)
            ),
            row("versions that served", lambda one: format_count(len(one.versions))),
            row("hot swaps", lambda one: format_count(one.swaps)),
        ),
        _non_empty(*map(_unscored_note, result.quality)),
    )


def _unscored_note(quality: ModelQuality) -> str:
    """Return why labelled predictions of a model are in no metric."""
    reasons = {
        "classes of the version unknown": quality.unknown_classes,
        "label is none of the classes": quality.foreign_labels,
    }
    return f"labelled predictions of {quality.model} not scored: {format_counts(reasons)}"


def _latency_table(result: AuditResult) -> ReportTable:
    throughput = result.performance.throughput
    mean = format_count(throughput.mean)
    peak = f"peak {format_count(throughput.peak)}"
    rows = (
        (one.model, *map(format_ms, (one.p50, one.p90, one.p99, one.p99_9, one.max)))
        for one in result.performance.latency
    )
    return ReportTable(
        "Latency: from request to response in the topic, in ms",
        ("model", "p50", "p90", "p99", "p99.9", "max"),
        tuple(rows),
        (f"{mean} requests/s on average over {format_duration(throughput.seconds)}, {peak}",),
    )


def _non_empty(*notes: str) -> tuple[str, ...]:
    """Return the notes that have content."""
    return tuple(
        note for note in notes if note != PLACEHOLDER and not note.endswith(f": {PLACEHOLDER}")
    )
