"""The report of a stream's audit as one self-contained HTML page."""

from collections.abc import Callable, Iterable, Sequence
from html import escape
from pathlib import Path

from matplotlib.axes import Axes

from modstream.audit.quality import WEEK_MS
from modstream.audit.result import AuditResult
from modstream.models.evaluation.monitoring.periods import DAY_MS, HOUR_MS
from modstream.report import plots
from modstream.report.absent_parts import absent_parts, has_labels, has_quality
from modstream.report.formatting import (
    format_count,
    format_date,
    format_duration,
    format_ms,
    format_score,
    format_verdict,
)
from modstream.report.html_parts import render_plot, render_table
from modstream.report.monitoring_page import monitoring_sections
from modstream.report.report_table import ReportTable
from modstream.report.style import CSS
from modstream.report.tables import report_tables

WIDE_PLOT, HALF_PLOT = (10.0, 2.7), (4.9, 2.7)
FOOTER = (
    "Computed from all committed records in the topics of the stream. Only the lag was sampled"
    " while the stream ran."
)


def write_page(result: AuditResult, path: Path, first: Sequence[ReportTable] = ()) -> None:
    """Write the page to a file, and create its folder; the tables `first` stand before all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(result, first), encoding="utf-8")


def render_page(result: AuditResult, first: Sequence[ReportTable] = ()) -> str:
    """Return the HTML document."""
    body = f"""<dl class="key">{"".join(_headline_numbers(result))}</dl>
<p class="models">{"".join(_legend(result))}</p>
{"".join(_plots(result))}
{"".join(map(render_table, (*first, *report_tables(result))))}
{"".join(monitoring_sections(result.monitoring))}
{"".join(f'<p class="lines">{escape(one)}</p>' for one in absent_parts(result))}"""
    return render_verdict_document(
        title=f"Stream {result.stream}",
        subtitle=_subtitle(result),
        verdict=format_verdict(result),
        is_good=result.is_sound,
        body=body,
        footer=FOOTER,
    )


def render_verdict_document(
    *, title: str, subtitle: str, verdict: tuple[str, str], is_good: bool, body: str, footer: str
) -> str:
    """Return a document with a verdict and its reason; `body` is HTML, the rest is text."""
    word, reason = map(escape, verdict)
    header = f"""<p class="span">{escape(subtitle)}</p>
<p class="verdict {"sound" if is_good else "unsound"}"><strong>{word}</strong>
{reason}</p>"""
    return render_document(
        title=f"{title}: {verdict[0].lower()}",
        heading=title,
        header=header,
        body=body,
        footer=escape(footer),
    )


def render_document(
    *, title: str, heading: str, header: str, body: str, footer: str, css: str = ""
) -> str:
    """Return a styled HTML document; `title` and `heading` are text, the rest is HTML.

    `css` is added to the style sheet of all reports.
    """
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>{CSS}{css}</style>
</head>
<body>
<header>
<h1>{escape(heading)}</h1>
{header}
</header>
<main>
{body}
</main>
<footer>{footer}</footer>
</body>
</html>
"""


def _subtitle(result: AuditResult) -> str:
    run = f"run of {format_duration(result.performance.throughput.seconds)}"
    event_times = result.quality[0].event_times
    return (
        f"{format_date(event_times.first)} to {format_date(event_times.last)}, {run}"
        if event_times.last
        else run
    )


def _headline_numbers(result: AuditResult) -> Iterable[str]:
    first = result.performance.latency[0] if result.performance.latency else None
    yield render_headline_number("requests", format_count(result.delivery.requests))
    yield render_headline_number(
        "requests/s, mean", format_count(result.performance.throughput.mean)
    )
    if first is not None:
        yield render_headline_number(
            "latency p50 / p99", f"{format_ms(first.p50)} / {format_ms(first.p99)} ms"
        )
    if has_labels(result):
        yield render_headline_number("labels joined", format_count(result.labels.joined))
    yield render_headline_number(
        "hot swaps", format_count(sum(one.swaps for one in result.quality))
    )
    for one in result.quality if has_quality(result) else ():
        yield render_headline_number(f"AUC {one.model}", format_score(one.auc))


def render_headline_number(name: str, value: str) -> str:
    """Return the HTML of one of the numbers at the top of the page."""
    return f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"


def _legend(result: AuditResult) -> Iterable[str]:
    for index, model in enumerate(result.route):
        yield f'<span><i style="background:var(--model-{index})"></i>{escape(model)}</span>'


def _plots(result: AuditResult) -> Iterable[str]:
    if has_quality(result):
        marks = _marker_note(result)
        yield _result_plot("AUC over event time", marks, "auc", plots.plot_auc, result)
        yield _result_plot("Log loss over event time", marks, "loss", plots.plot_log_loss, result)
    yield '<div class="pair">'
    if result.performance.latency:
        note = "p50 solid, p99 dashed; from the request's timestamp to the response's append"
        yield _result_plot("Latency over the run", note, "latency", plots.plot_latency, result)
        note, draw = "each step of the scale is another nine", plots.plot_latency_percentiles
        yield _result_plot("Latency by percentile", note, "curve", draw, result)
    note = "requests sent, and responses of all models appended"
    yield _result_plot("Throughput", note, "throughput", plots.plot_throughput, result)
    if result.performance.lag:
        note = "sampled while the stream ran"
        yield _result_plot("Lag", note, "lag", plots.plot_lag, result)
    yield "</div>"


def _marker_note(result: AuditResult) -> str:
    bins = {HOUR_MS: "hour", DAY_MS: "day", WEEK_MS: "week"}
    note = f"one point per {bins[result.quality[0].event_times.width]} of the request's event time"
    swaps = max(one.swaps for one in result.quality)
    drawn = max(len(plots.thin_version_times(one)) for one in result.quality)
    if swaps:
        note += f"; ticks: {drawn} of {swaps} new versions, at the first response of each"
    if result.decisions:
        note += "; lines: promotions (solid) and rollbacks (dashed) by the promotion gate"
    return note


def _result_plot(
    title: str, note: str, name: str, draw: Callable[[Axes, AuditResult], None], result: AuditResult
) -> str:
    size = WIDE_PLOT if name in ("auc", "loss") else HALF_PLOT
    return render_plot(title, note, name, draw, result, size)
