"""The plots of a stream's monitoring."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from modstream.audit.monitoring import StreamMonitoring
from modstream.models.evaluation.monitoring.calibration import Calibration
from modstream.models.evaluation.monitoring.model_monitoring import ModelMonitoring
from modstream.models.evaluation.monitoring.slices import SliceFigures
from modstream.report.monitoring_tables import version_range
from modstream.report.plots import (
    GRID,
    INK,
    MODEL_COLOURS,
    MUTED,
    SERVICE_COLOURS,
    to_plot_date,
    use_date_axis,
)

VERSION_COLOURS = (*SERVICE_COLOURS, MUTED)
"""The colours of a model's groups of versions."""
MAX_BARS = 10
"""Number of slices that are drawn."""
MAX_NAME_LENGTH = 56
MIN_PERIOD_SHARE = 0.1


def worst_values(one: ModelMonitoring) -> Sequence[SliceFigures]:
    """Return the slices by value with enough rows, those with the greatest loss first."""
    large = [each for each in one.by_value if each.count >= one.settings.search.min_rows]
    return sorted(large, key=lambda each: -each.loss)


def plot_slices(axes: Axes, slices: Sequence[SliceFigures]) -> None:
    """Plot the loss of slices as bars, with the loss of all other rows as a mark."""
    shown = slices[:MAX_BARS][::-1]
    places = range(len(shown))
    axes.barh(places, [each.loss for each in shown], 0.62, color=SERVICE_COLOURS[1])
    rest = [each.rest_loss for each in shown]
    axes.plot(rest, places, "|", color=INK, markersize=11, markeredgewidth=2)
    axes.set_yticks(places, [_short(each.name) for each in shown], parse_math=False)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")


def plot_model_calibration(axes: Axes, monitoring: StreamMonitoring) -> None:
    """Plot the reliability curve of each model, with 95 % intervals."""
    colours = zip(MODEL_COLOURS, monitoring.models, strict=False)
    curves = [(colour, one.model, one.calibration) for colour, one in colours]
    _plot_curves(axes, [curve for curve in curves if curve[2].count])


def plot_version_calibration(axes: Axes, one: ModelMonitoring) -> None:
    """Plot the reliability curve of each group of versions of a model."""
    versions = zip(VERSION_COLOURS, one.versions, strict=False)
    curves = [
        (colour, version_range(each.first, each.last), each.calibration)
        for colour, each in versions
        if each.calibration.count
    ]
    _plot_curves(axes, curves)


def plot_coverage(axes: Axes, monitoring: StreamMonitoring) -> None:
    """Plot the coverage of each model's conformal sets by period, and the coverage aimed at.

    Periods with less than `MIN_PERIOD_SHARE` of the labels of the largest one are left out.
    """
    for colour, one in zip(MODEL_COLOURS, monitoring.models, strict=False):
        periods = [each.coverage for each in one.periods if each.coverage is not None]
        if not periods:
            continue
        enough = MIN_PERIOD_SHARE * max(each.count for each in periods)
        periods = [each for each in periods if each.count >= enough]
        times = [to_plot_date(each.start) for each in periods]
        coverages = [each.coverage for each in periods]
        axes.plot(times, coverages, "o-", color=colour, linewidth=1.6, markersize=4)
        aim = 1 - one.settings.conformal.level
        axes.axhline(aim, color=MUTED, linewidth=1.0, linestyle="--")
        axes.axhspan(aim - 0.01, aim + 0.01, color=GRID, zorder=0)
    axes.set_ylabel("coverage")
    use_date_axis(axes)
    axes.margins(x=0.02, y=0.3)


def _plot_curves(axes: Axes, curves: Sequence[tuple[str, str, Calibration]]) -> None:
    end = max((each.predicted for _, _, one in curves for each in one.bins), default=1.0)
    axes.plot((0, end), (0, end), color=MUTED, linewidth=1.0, linestyle="--")
    for colour, name, one in reversed(curves):
        predicted = [each.predicted for each in one.bins]
        observed = [each.observed for each in one.bins]
        below = [each.observed - each.low for each in one.bins]
        above = [each.high - each.observed for each in one.bins]
        axes.errorbar(
            *(predicted, observed, (below, above)),
            fmt="o-", color=colour, linewidth=1.4, markersize=3, elinewidth=0.9, label=name,
        )  # fmt: skip
    axes.set_xlabel("mean predicted probability")
    axes.set_ylabel("frequency")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="upper left", handlelength=1.4)


def _short(name: str) -> str:
    name = "".join(one if one.isprintable() else " " for one in name)
    return name if len(name) <= MAX_NAME_LENGTH else f"{name[: MAX_NAME_LENGTH - 1]}…"
