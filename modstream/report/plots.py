"""The plots of the HTML report, as SVG with the colours of the page's style sheet."""

import re
from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any, TypeVar
from warnings import catch_warnings, filterwarnings

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from modstream.audit.quality import ModelQuality, QualityBin
from modstream.audit.result import AuditResult
from modstream.models.evaluation.monitoring.periods import DAY_MS

INK, MUTED, GRID = "#010101", "#020202", "#030303"
MODEL_COLOURS = ("#040401", "#040402", "#040403", "#040404")
SERVICE_COLOURS = ("#050501", "#050502", "#050503")
CSS_COLOURS = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    **{colour: f"var(--model-{index})" for index, colour in enumerate(MODEL_COLOURS)},
    **{colour: f"var(--service-{index})" for index, colour in enumerate(SERVICE_COLOURS)},
}
"""The placeholder colours in matplotlib's output, and the CSS variables that replace them."""
LAST_DATE = 200_000.0
"""The last date that is drawn, in the year 2517: the axis needs room beyond it."""
MAX_VERSION_MARKS = 80
"""Maximum number of version marks; of more, only every k-th is drawn."""
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "modstream",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "legend.frameon": False,
    "lines.solid_capstyle": "round",
}

T = TypeVar("T")


def draw_svg(name: str, draw: Callable[[Axes, T], None], data: T, size: tuple[float, float]) -> str:
    """Return a plot of `size` inches as an SVG element; `name` makes its ids unique on the page."""
    with mpl.rc_context(STYLE), catch_warnings():
        # The browser has the glyphs that matplotlib's own font lacks.
        filterwarnings("ignore", "Glyph .* missing from font")
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        draw(axes, data)
        file = StringIO()
        metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(file, format="svg", transparent=True, metadata=metadata)
    return _adapt_to_page(file.getvalue(), name)


def _adapt_to_page(document: str, name: str) -> str:
    """Extract the SVG element from its document, and replace its colours, fonts and ids."""
    element = document[document.index("<svg") :].strip()
    element = re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", element).replace("xlink:href", "href")
    element = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", element)
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", element, count=1)
    element = re.sub(r'(<svg[^>]*?) height="[^"]*"', r'\1 role="img"', element, count=1)
    element = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", element)
    for placeholder, colour in CSS_COLOURS.items():
        element = element.replace(placeholder, colour)
    return element


def plot_auc(axes: Axes, result: AuditResult) -> None:
    """Plot the AUC of each model in bins of event time, with marks at the first use of versions."""
    _plot_over_event_time(axes, result, lambda one: one.auc)
    axes.set_ylabel("AUC")


def plot_log_loss(axes: Axes, result: AuditResult) -> None:
    """Plot the log loss of each model in bins of event time, with marks at the use of versions."""
    _plot_over_event_time(axes, result, lambda one: one.log_loss)
    axes.set_ylabel("log loss, nats")


def plot_latency(axes: Axes, result: AuditResult) -> None:
    """Plot p50 (solid) and p99 (dashed) of the latency of each model in bins of wall time."""
    for colour, one in reversed(_with_colours(result.performance.latency)):
        axes.plot(one.times, one.p99_over_time, "--", color=colour, linewidth=1.1)
        axes.plot(one.times, one.p50_over_time, color=colour, linewidth=1.6)
    _use_ms_axis(axes)
    axes.set_xlabel("seconds since the first request")


def plot_latency_percentiles(axes: Axes, result: AuditResult) -> None:
    """Plot the latency by percentile, on a logarithmic scale of 1 / (1 - percentile)."""
    shown = (50, 90, 99, 99.9, 99.99)
    for colour, one in reversed(_with_colours(result.performance.latency)):
        curve = [(100 / (100 - percentile), ms) for percentile, ms in one.curve if percentile < 100]
        axes.plot(*zip(*curve, strict=True), color=colour, linewidth=1.8)
    axes.set_xscale("log")
    axes.set_xticks([100 / (100 - percentile) for percentile in shown], map(str, shown))
    axes.minorticks_off()
    _use_ms_axis(axes)
    axes.set_xlabel("percentile")


def plot_throughput(axes: Axes, result: AuditResult) -> None:
    """Plot the requests sent and the responses appended per second."""
    throughput = result.performance.throughput
    for colour, label, series in (
        (SERVICE_COLOURS[0], "requests", throughput.requests),
        (SERVICE_COLOURS[1], "responses", throughput.responses),
    ):
        axes.step(throughput.times, series, where="post", color=colour, linewidth=1.4, label=label)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel("records/s")
    axes.set_xlabel("seconds since the first request")
    _legend(axes)


def plot_lag(axes: Axes, result: AuditResult) -> None:
    """Plot the sampled lag of worker, joiner and learner."""
    samples = result.performance.lag
    services = sorted(
        {service for sample in samples for service in sample.records}, key=_service_order
    )
    for colour, service in zip(SERVICE_COLOURS, services, strict=False):
        points = [(s.seconds, s.records[service]) for s in samples if service in s.records]
        axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.4, label=service)
    axes.set_yscale("symlog", linthresh=10)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel("lag, records")
    axes.set_xlabel("seconds since the first request")
    _legend(axes)


def thin_version_times(quality: ModelQuality) -> list[int]:
    """Return the event times (ms) of the first use of versions, at most `MAX_VERSION_MARKS`."""
    times = [served.first_event_time for served in quality.versions[1:]]
    return times[:: -(-len(times) // MAX_VERSION_MARKS) or 1]


def _plot_over_event_time(
    axes: Axes, result: AuditResult, metric: Callable[[QualityBin], float]
) -> None:
    for colour, one in reversed(_with_colours(result.quality)):
        centres = [to_plot_date(each.start + one.event_times.width // 2) for each in one.bins]
        axes.plot(centres, [metric(each) for each in one.bins], color=colour, linewidth=1.8)
        for time in thin_version_times(one):
            axes.axvline(to_plot_date(time), 0, 0.035, color=colour, linewidth=0.7, alpha=0.8)
    for decision in result.decisions:
        style = "-" if decision.action == "promote" else "--"
        axes.axvline(to_plot_date(decision.event_time), color=MUTED, linewidth=1.0, linestyle=style)
    use_date_axis(axes)
    axes.margins(x=0.01, y=0.12)


def use_date_axis(axes: Axes) -> None:
    """Label the x axis with dates; x values are those of `to_plot_date`."""
    locator = AutoDateLocator(maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)


def _with_colours(models: Sequence[T]) -> list[tuple[str, T]]:
    return list(zip(MODEL_COLOURS, models, strict=False))


def _service_order(service: str) -> tuple[int, str]:
    order = ("worker", "joiner", "learner")
    return (order.index(service) if service in order else len(order), service)


def _use_ms_axis(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(lambda *_: "")
    axes.set_ylabel("ms")


def _legend(axes: Axes) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderpad=0, handlelength=1.4)


def to_plot_date(event_time: int) -> float:
    """Return an event time (ms) as a matplotlib date: days since 1970, not beyond `LAST_DATE`."""
    return min(max(event_time / DAY_MS, 0.0), LAST_DATE)
