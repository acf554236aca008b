"""The sections of a report's page about monitoring: slices, calibration, drift, coverage."""

from collections.abc import Iterable
from html import escape

from modstream.audit.monitoring import StreamMonitoring
from modstream.models.evaluation.monitoring.model_monitoring import ModelMonitoring
from modstream.models.evaluation.monitoring.scored_rows import LOSS_NAMES
from modstream.report import monitoring_plots as plots
from modstream.report.html_parts import render_plot, render_table
from modstream.report.monitoring_tables import (
    calibration_table,
    drift_table,
    period_table,
    value_table,
    worst_slice_table,
)
from modstream.report.report_table import ReportTable

HALF_PLOT, WIDE_PLOT = (4.9, 3.4), (10.0, 2.4)
BAR_HEIGHT, AXIS_HEIGHT = 0.26, 0.55
"""Heights in inches of a bar, and of the axis below it."""


def monitoring_sections(monitoring: StreamMonitoring) -> Iterable[str]:
    """Yield the HTML of all sections that have content."""
    if any(one.worst.tested or one.by_value for one in monitoring.models):
        yield _heading("Slices", _slice_note(monitoring))
        for number, one in enumerate(monitoring.models):
            yield from _slices(one, number)
    if any(one.calibration.count for one in monitoring.models):
        yield _heading("Calibration", "whether events of probability p happen with frequency p")
        yield from _calibration(monitoring)
    if monitoring.drift is not None:
        yield _heading("Drift", "how the inputs of the stream have changed")
        yield _table(drift_table(monitoring))
    if any(one.periods for one in monitoring.models):
        yield _heading("Conformal coverage", "how often prediction sets have the label")
        yield from _coverage(monitoring)


def _slices(one: ModelMonitoring, number: int) -> Iterable[str]:
    found, worst, values = one.worst.slices, worst_slice_table(one), value_table(one)
    title = worst.title if found else f"Values of {one.model} with the greatest loss"
    shown = found or plots.worst_values(one)
    if shown:
        note = f"{LOSS_NAMES[one.task]} of the slice as a bar, of all other rows as a mark"
        size = (WIDE_PLOT[0], min(len(shown), plots.MAX_BARS) * BAR_HEIGHT + AXIS_HEIGHT)
        yield render_plot(title, note, f"slices{number}", plots.plot_slices, shown, size)
    yield render_table(worst, None) if found else _notes(worst)
    if one.by_value:
        summary = f"<summary>{escape(values.title)}</summary>"
        yield f"<details>{summary}{render_table(values, None)}</details>"


def _calibration(monitoring: StreamMonitoring) -> Iterable[str]:
    yield '<div class="pair">'
    note = "dashed: perfect calibration; bars: 95 % intervals"
    draw = plots.plot_model_calibration
    yield render_plot("Models", note, "reliability", draw, monitoring, HALF_PLOT)
    for number, one in enumerate(monitoring.models):
        if len(one.versions) > 1 and any(each.calibration.count for each in one.versions):
            title, name = f"Versions of {one.model}", f"versions{number}"
            draw_one = plots.plot_version_calibration
            yield render_plot(title, note, name, draw_one, one, HALF_PLOT)
    yield "</div>"
    yield _table(calibration_table(monitoring.models))


def _coverage(monitoring: StreamMonitoring) -> Iterable[str]:
    if any(len(one.periods) > 1 and one.task != "multiclass" for one in monitoring.models):
        note = "dashed: the aim; band: within 0.01 of it; without periods of few labels"
        title = "Coverage over event time"
        yield render_plot(title, note, "coverage", plots.plot_coverage, monitoring, WIDE_PLOT)
    for one in monitoring.models:
        yield _table(period_table(one))


def _slice_note(monitoring: StreamMonitoring) -> str:
    note = "figures of the rows with one value of a feature, or one pair of values"
    if monitoring.sampled_every > 1:
        note += f"; features are known of one row in {monitoring.sampled_every}"
    return note


def _heading(title: str, note: str) -> str:
    return f'<h2 class="part">{escape(title)}</h2><p class="lines">{escape(note)}</p>'


def _table(table: ReportTable) -> str:
    return render_table(table, 3) if table.rows else _notes(table)


def _notes(table: ReportTable) -> str:
    return "".join(f'<p class="lines">{escape(note)}</p>' for note in table.notes)
