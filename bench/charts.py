"""The plots of the report, in the colours of modstream's other pages."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes

from bench.results import Summary
from bench.table import system_label
from bench.targets import CPU, SCALING_PARTS, THROUGHPUT
from modstream.report.plots import MODEL_COLOURS, MUTED, SERVICE_COLOURS, draw_svg

SYSTEM_COLOURS = (*MODEL_COLOURS[:2], *SERVICE_COLOURS, *MODEL_COLOURS[2:])
WIDE_SIZE, HALF_SIZE = (10.0, 3.4), (4.9, 3.0)
PERCENTILES = ("p50 ms", "p99 ms", "p99.9 ms")

Summaries = Sequence[Summary]


class Chart(NamedTuple):
    """A plot as an SVG element, with a title and a caption."""

    title: str
    caption: str
    svg: str


def charts(summaries: Summaries) -> Iterator[Chart]:
    """Yield the plots of the measurements that exist."""
    caption = "median of the rounds; the lines reach from the minimum to the maximum"
    for name, measure in (("throughput", THROUGHPUT), ("processor", CPU)):
        shown = select(summaries, "saturation", measure)
        if shown:
            yield Chart(
                f"{name.capitalize()}, {measure}", caption, draw_svg(name, bars, shown, WIDE_SIZE)
            )
    shown = [
        summary
        for summary in summaries
        if summary.measurement.part == "latency" and summary.measurement.measure in PERCENTILES
    ]
    if shown:
        caption = "p50, p99 and p99.9 from the intended send time, ms"
        yield Chart("Latency", caption, draw_svg("latency", percentiles, shown, WIDE_SIZE))
    for part in SCALING_PARTS:
        shown = select(summaries, part, THROUGHPUT)
        if shown:
            yield Chart(
                f"Throughput by {part}", "records/s", draw_svg(part[:4], lines, shown, HALF_SIZE)
            )


def select(summaries: Summaries, part: str, measure: str) -> list[Summary]:
    """Return the summaries of summary part and summary measure."""
    return [
        summary
        for summary in summaries
        if (summary.measurement.part, summary.measurement.measure) == (part, measure)
    ]


def bars(axes: Axes, summaries: Summaries) -> None:
    """Draw a group of bars for each case, with a colour for each system."""
    cases, systems = (
        unique(summaries, lambda summary: summary.measurement.case),
        unique(summaries, system_label),
    )
    width = 0.8 / len(systems)
    for index, system in enumerate(systems):
        own = [summary for summary in summaries if system_label(summary) == system]
        xs = [
            cases.index(summary.measurement.case) + (index + 0.5) * width - 0.4 for summary in own
        ]
        medians = [summary.median for summary in own]
        spread = [
            [summary.median - summary.minimum for summary in own],
            [summary.maximum - summary.median for summary in own],
        ]
        axes.bar(xs, medians, width, color=colour(index), label=system)
        axes.errorbar(xs, medians, spread, fmt="none", ecolor=MUTED, elinewidth=0.8)
    axes.set_xticks(range(len(cases)), cases)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    legend(axes)


def lines(axes: Axes, summaries: Summaries) -> None:
    """Draw a line for each system over the sizes of the cases."""
    for index, system in enumerate(unique(summaries, system_label)):
        own = [summary for summary in summaries if system_label(summary) == system]
        sizes = [float(summary.measurement.case) for summary in own]
        axes.plot(
            sizes, [summary.median for summary in own], "o-", color=colour(index), label=system
        )
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [summary.measurement.case for summary in own])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    legend(axes)


def percentiles(axes: Axes, summaries: Summaries) -> None:
    """Draw the percentiles of each system as points, grouped by load."""
    cases, systems = (
        unique(summaries, lambda summary: summary.measurement.case),
        unique(summaries, system_label),
    )
    for index, system in enumerate(systems):
        for case in cases:
            own = [
                summary.median
                for summary in summaries
                if system_label(summary) == system and summary.measurement.case == case
            ]
            x = cases.index(case) + 0.7 * (index + 0.5) / len(systems) - 0.35
            label = system if case == cases[0] else ""
            axes.plot([x] * len(own), own, "o-", color=colour(index), label=label, markersize=4)
    axes.set_xticks(range(len(cases)), cases)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    legend(axes)


def unique(summaries: Summaries, name_of: Callable[[Summary], str]) -> list[str]:
    """Return the distinct names of summaries, in the order of their first occurrence."""
    return list(dict.fromkeys(name_of(summary) for summary in summaries))


def colour(index: int) -> str:
    """Return the colour of the system with this index."""
    return SYSTEM_COLOURS[index % len(SYSTEM_COLOURS)]


def legend(axes: Axes) -> None:
    """Draw the legend above the plot."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderpad=0, handlelength=1.4)
