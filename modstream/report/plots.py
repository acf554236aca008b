"""The plots of the page, as SVG that takes its colours from the page's style sheet."""

import re
from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any, TypeVar

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from modstream.audit.figures import Figures
from modstream.audit.quality import DAY, Bin, Quality

INK, MUTED, GRID = "#010101", "#020202", "#030303"
MODELS = ("#040401", "#040402", "#040403", "#040404")
ROLES = ("#050501", "#050502", "#050503")
COLOURS = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    **{colour: f"var(--model-{place})" for place, colour in enumerate(MODELS)},
    **{colour: f"var(--role-{place})" for place, colour in enumerate(ROLES)},
}
"""Stand-ins that matplotlib draws with, and the style sheet's colours that replace them."""
MOST_MARKS = 80
"""Version marks drawn at most; of more, every k-th stands for all."""
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


def svg(name: str, draw: Callable[[Axes, T], None], figures: T, size: tuple[float, float]) -> str:
    """Draw one plot of `size` inches as an SVG element; `name` keeps its ids apart from others'."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        draw(axes, figures)
        file = StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    return _for_page(file.getvalue(), name)


def _for_page(document: str, name: str) -> str:
    """Cut the SVG element out of its document and tie it to the page's style."""
    element = document[document.index("<svg") :].strip()
    element = re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", element).replace("xlink:href", "href")
    element = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", element)
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", element, count=1)
    element = re.sub(r'(<svg[^>]*?) height="[^"]*"', r'\1 role="img"', element, count=1)
    element = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", element)
    for stand_in, colour in COLOURS.items():
        element = element.replace(stand_in, colour)
    return element


def auc_over_time(axes: Axes, figures: Figures) -> None:
    """AUC of every model by stretches of event time, with the versions' first answers."""
    _over_event_time(axes, figures, lambda one: one.auc)
    axes.set_ylabel("AUC")


def log_loss_over_time(axes: Axes, figures: Figures) -> None:
    """Log loss of every model by stretches of event time, with the versions' first answers."""
    _over_event_time(axes, figures, lambda one: one.log_loss)
    axes.set_ylabel("log loss, nats")


def latency_over_time(axes: Axes, figures: Figures) -> None:
    """p50 (solid) and p99 (dashed) of every model by stretches of the run."""
    for colour, one in reversed(_coloured(figures.pace.latency)):
        axes.plot(one.times, one.p99_over_time, "--", color=colour, linewidth=1.1)
        axes.plot(one.times, one.p50_over_time, color=colour, linewidth=1.6)
    _milliseconds(axes)
    axes.set_xlabel("seconds since the first request")


def latency_curve(axes: Axes, figures: Figures) -> None:
    """Latency by percentile, on a scale of nines."""
    shown = (50, 90, 99, 99.9, 99.99)
    for colour, one in reversed(_coloured(figures.pace.latency)):
        curve = [(100 / (100 - percentile), ms) for percentile, ms in one.curve if percentile < 100]
        axes.plot(*zip(*curve, strict=True), color=colour, linewidth=1.8)
    axes.set_xscale("log")
    axes.set_xticks([100 / (100 - percentile) for percentile in shown], map(str, shown))
    axes.minorticks_off()
    _milliseconds(axes)
    axes.set_xlabel("percentile")


def throughput(axes: Axes, figures: Figures) -> None:
    """Requests sent and answers appended per second over the run."""
    flow = figures.pace.throughput
    for colour, label, series in (
        (ROLES[0], "requests", flow.requests),
        (ROLES[1], "answers", flow.answers),
    ):
        axes.step(flow.times, series, where="post", color=colour, linewidth=1.4, label=label)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel("records/s")
    axes.set_xlabel("seconds since the first request")
    _legend(axes)


def lag(axes: Axes, figures: Figures) -> None:
    """Records that waited for worker, joiner and learner, as they were looked at in the run."""
    samples = figures.pace.lag
    roles = sorted({role for sample in samples for role in sample.waiting}, key=_role_order)
    for colour, role in zip(ROLES, roles, strict=False):
        points = [(s.at, s.waiting[role]) for s in samples if role in s.waiting]
        axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.4, label=role)
    axes.set_yscale("symlog", linthresh=10)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel("records waiting")
    axes.set_xlabel("seconds since the first request")
    _legend(axes)


def thinned(quality: Quality) -> list[int]:
    """Event times (ms) of the versions' first answers, every k-th of very many."""
    times = [served.event_time for served in quality.versions[1:]]
    return times[:: -(-len(times) // MOST_MARKS) or 1]


def _over_event_time(axes: Axes, figures: Figures, of: Callable[[Bin], float]) -> None:
    for colour, one in reversed(_coloured(figures.quality)):
        middles = [moment(each.start + one.span.width // 2) for each in one.bins]
        axes.plot(middles, [of(each) for each in one.bins], color=colour, linewidth=1.8)
        for time in thinned(one):
            axes.axvline(moment(time), 0, 0.035, color=colour, linewidth=0.7, alpha=0.8)
    for decision in figures.decisions:
        style = "-" if decision.action == "promote" else "--"
        axes.axvline(moment(decision.event_time), color=MUTED, linewidth=1.0, linestyle=style)
    dated(axes)
    axes.margins(x=0.01, y=0.12)


def dated(axes: Axes) -> None:
    """Write dates under the plot; its x are those of `moment`."""
    locator = AutoDateLocator(maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)


def _coloured(models: Sequence[T]) -> list[tuple[str, T]]:
    return list(zip(MODELS, models, strict=False))


def _role_order(role: str) -> tuple[int, str]:
    known = ("worker", "joiner", "learner")
    return (known.index(role) if role in known else len(known), role)


def _milliseconds(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(lambda *_: "")
    axes.set_ylabel("ms")


def _legend(axes: Axes) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderpad=0, handlelength=1.4)


def moment(at: int) -> float:
    """An event time (ms) as matplotlib counts dates: days since 1970."""
    return at / DAY
