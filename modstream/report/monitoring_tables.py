"""The monitoring of a stream's models as tables of text."""

from collections.abc import Iterable
from math import nan

from modstream.audit.monitoring import StreamMonitoring
from modstream.models.evaluation.monitoring.calibration import Calibration
from modstream.models.evaluation.monitoring.feature_drift import LARGE_PSI, NOTABLE_PSI
from modstream.models.evaluation.monitoring.model_monitoring import ModelMonitoring
from modstream.models.evaluation.monitoring.scored_rows import LOSS_NAMES
from modstream.models.evaluation.monitoring.slices import SliceFigures
from modstream.report.formatting import format_count, format_date, format_percent, format_score
from modstream.report.report_table import ReportTable

METRIC_COLUMNS = {
    "binary": ("accuracy", "auc", "observed", "predicted"),
    "multiclass": ("accuracy",),
    "regression": ("observed", "predicted"),
}
TITLES = {"auc": "AUC"}
ECE_NOTE = (
    "ECE is biased upwards: a perfectly calibrated model has the ECE by chance. The RMS error is"
    " without that bias."
)
P_NOTE = (
    "PSI is the size of a change. p is adjusted for the number of features; it is too small for a"
    " feature that many rows share, such as the weather of an hour."
)


def worst_slice_table(one: ModelMonitoring) -> ReportTable:
    """Return the slices that are significantly worse than the rest, the worst first."""
    return ReportTable(
        f"Worst slices of {one.model}",
        (*_slice_columns(one), "p"),
        tuple((*_slice_row(one, each), _p_value(each.p_value)) for each in one.worst.slices),
        (_search_note(one),),
    )


def value_table(one: ModelMonitoring) -> ReportTable:
    """Return the figures of each value of the chosen features."""
    rows = tuple(_slice_row(one, each) for each in one.by_value)
    return ReportTable(f"Slices of {one.model} by value", _slice_columns(one), rows)


def calibration_table(models: Iterable[ModelMonitoring]) -> ReportTable:
    """Return the calibration errors of each model, and of groups of its versions."""
    rows: list[tuple[str, ...]] = []
    for one in models:
        if one.calibration.count:
            rows.append((f"{one.model}, all versions", *_calibration_cells(one.calibration)))
            rows += (
                (f"{one.model} {version_range(each.first, each.last)}", *_calibration_cells(found))
                for each in (one.versions if len(one.versions) > 1 else ())
                if (found := each.calibration).count
            )
    return ReportTable(
        "Calibration errors",
        ("", "labelled", "ECE", "ECE by chance", "RMS error"),
        tuple(rows),
        (ECE_NOTE,),
    )


def period_table(one: ModelMonitoring) -> ReportTable:
    """Return loss, calibration, and coverage of conformal sets of each period."""
    conformal = one.settings.conformal
    is_binary, has_sets = one.task == "binary", one.task != "multiclass"
    columns = [one.unit, "labelled", LOSS_NAMES[one.task]]
    columns += ["ECE", "by chance"] if one.task != "regression" else []
    columns += ["coverage"] if has_sets else []
    columns += ["of positives", "one class", "no class"] if is_binary else []
    columns += ["width"] if one.task == "regression" else []
    rows = []
    for each in one.periods:
        cells = [_period_name(one.unit, each.start), format_count(each.count)]
        cells += [format_score(each.loss)]
        if one.task != "regression":
            found = each.calibration
            cells += [format_score(found.ece), format_score(found.ece_by_chance)]
        if each.coverage is not None:
            own = each.coverage
            cells.append(format_percent(own.coverage))
            if is_binary:
                cells += map(format_percent, (own.positive_coverage, own.certain, own.empty))
            else:
                cells.append(f"{own.size:.4g}")
        rows.append(tuple(cells))
    kind = "sets of classes" if is_binary else "intervals"
    aim = f"The {kind} aim at a coverage of {1 - conformal.level:.0%}, with step {conformal.step:g}"
    notes = (f"{aim} and a window of {format_count(conformal.window)} labels.",)
    return ReportTable(
        f"Coverage and calibration of {one.model} by {one.unit}",
        tuple(columns),
        tuple(rows),
        notes if has_sets else (),
    )


def drift_table(monitoring: StreamMonitoring) -> ReportTable:
    """Return the drift of each feature, the largest first."""
    drift = monitoring.drift
    if drift is None:
        return ReportTable("Drift per feature", (), ())
    rows = (
        (
            *(each.feature, f"{each.psi:.3f}", f"{each.psi_by_chance:.3f}", _size(each.psi)),
            *(each.test, f"{each.statistic:.4g}", _p_value(each.p_value)),
            *(format_percent(each.missing_before), format_percent(each.missing_after)),
        )
        for each in drift.features
    )
    windows = [f"{format_date(a)} to {format_date(b)}" for a, b in (drift.reference, drift.current)]
    size = format_count(drift.rows)
    compared = (
        f"Reference: the first {size} rows, {windows[0]}. Compared: the newest, {windows[1]}."
    )
    return ReportTable(
        "Drift per feature",
        ("feature", "PSI", "by chance", "change", "test", "statistic", "p", "missing", "now"),
        tuple(rows),
        (compared, P_NOTE),
    )


def version_range(first: int, last: int) -> str:
    """Return the name of consecutive versions."""
    return f"v{first}" if first == last else f"v{first} to v{last}"


def _search_note(one: ModelMonitoring) -> str:
    """Return how many slices were tested and found, and how to read that."""
    tested, level = format_count(one.worst.tested), f"{one.settings.search.level:.0%}"
    if not one.worst.tested:
        return "There are too few rows to search for slices."
    blocks = "" if one.block == "row" else f" Rows of one {one.block} count as dependent."
    if not one.worst.found:
        return f"None of {tested} values and pairs of values is shown to be worse.{blocks}"
    return (
        f"{format_count(one.worst.found)} of {tested} values and pairs of values are worse than the"
        f" rest; at most {level} of them are expected to be so by chance. p is adjusted for all"
        f" of them.{blocks}"
    )


def _slice_columns(one: ModelMonitoring) -> tuple[str, ...]:
    loss = LOSS_NAMES[one.task]
    metrics = (TITLES.get(name, name) for name in METRIC_COLUMNS[one.task])
    return ("slice", "rows", loss, "rest", *metrics)


def _slice_row(one: ModelMonitoring, each: SliceFigures) -> tuple[str, ...]:
    metrics = (format_score(each.metrics.get(name, nan)) for name in METRIC_COLUMNS[one.task])
    losses = format_score(each.loss), format_score(each.rest_loss)
    return (each.name, format_count(each.count), *losses, *metrics)


def _calibration_cells(found: Calibration) -> tuple[str, ...]:
    scores = map(format_score, (found.ece, found.ece_by_chance, found.rms_error))
    return (format_count(found.count), *scores)


def _period_name(unit: str, start: int) -> str:
    day = format_date(start)
    if unit == "month":
        return day[:7]
    return day if unit == "day" else f"{day} {start // 3_600_000 % 24:02d} h"


def _p_value(p_value: float | None) -> str:
    if p_value is None:
        return ""
    return "<0.0001" if p_value < 1e-4 else f"{p_value:.4f}"


def _size(psi: float) -> str:
    if psi >= LARGE_PSI:
        return "large"
    return "notable" if psi >= NOTABLE_PSI else "small"
