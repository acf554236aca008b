"""The plots of the report, in the colours of modstream's own pages."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes

from bench.results import Summary
from bench.table import who
from bench.targets import CPU, GROWING, THROUGHPUT
from modstream.report.plots import MODELS, MUTED, ROLES, svg

COLOURS = (*MODELS[:2], *ROLES, *MODELS[2:])
WIDE, HALF = (10.0, 3.4), (4.9, 3.0)
PERCENTILES = ("p50 ms", "p99 ms", "p99.9 ms")

Found = Sequence[Summary]


class Chart(NamedTuple):
    """A plot as an SVG element, with its caption."""

    title: str
    note: str
    drawing: str


def charts(found: Found) -> Iterator[Chart]:
    """A plot for each thing that was measured."""
    note = "median of the rounds; the lines reach from the lowest to the highest"
    for name, measure in (("throughput", THROUGHPUT), ("processor", CPU)):
        shown = having(found, "saturation", measure)
        if shown:
            yield Chart(f"{name.capitalize()}, {measure}", note, svg(name, bars, shown, WIDE))
    shown = [one for one in found if one.of.part == "latency" and one.of.measure in PERCENTILES]
    if shown:
        note = "p50, p99 and p99.9 from the intended send time, ms"
        yield Chart("Latency", note, svg("latency", percentiles, shown, WIDE))
    for part in GROWING:
        shown = having(found, part, THROUGHPUT)
        if shown:
            yield Chart(f"Throughput by {part}", "records/s", svg(part[:4], lines, shown, HALF))


def having(found: Found, part: str, measure: str) -> list[Summary]:
    """The figures of one part and one measure."""
    return [one for one in found if (one.of.part, one.of.measure) == (part, measure)]


def bars(axes: Axes, found: Found) -> None:
    """Groups of bars, one for each case, with a colour for each subject."""
    cases, subjects = ordered(found, lambda one: one.of.case), ordered(found, who)
    width = 0.8 / len(subjects)
    for place, subject in enumerate(subjects):
        own = [one for one in found if who(one) == subject]
        xs = [cases.index(one.of.case) + (place + 0.5) * width - 0.4 for one in own]
        middles = [one.middle for one in own]
        spread = [[one.middle - one.low for one in own], [one.high - one.middle for one in own]]
        axes.bar(xs, middles, width, color=colour(place), label=subject)
        axes.errorbar(xs, middles, spread, fmt="none", ecolor=MUTED, elinewidth=0.8)
    axes.set_xticks(range(len(cases)), cases)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    legend(axes)


def lines(axes: Axes, found: Found) -> None:
    """A line for each subject over what grows."""
    for place, subject in enumerate(ordered(found, who)):
        own = [one for one in found if who(one) == subject]
        sizes = [float(one.of.case) for one in own]
        axes.plot(sizes, [one.middle for one in own], "o-", color=colour(place), label=subject)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [one.of.case for one in own])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    legend(axes)


def percentiles(axes: Axes, found: Found) -> None:
    """For each load a group of points of each subject, one for each percentile."""
    cases, subjects = ordered(found, lambda one: one.of.case), ordered(found, who)
    for place, subject in enumerate(subjects):
        for case in cases:
            own = [one.middle for one in found if who(one) == subject and one.of.case == case]
            x = cases.index(case) + 0.7 * (place + 0.5) / len(subjects) - 0.35
            label = subject if case == cases[0] else ""
            axes.plot([x] * len(own), own, "o-", color=colour(place), label=label, markersize=4)
    axes.set_xticks(range(len(cases)), cases)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    legend(axes)


def ordered(found: Found, of: Callable[[Summary], str]) -> list[str]:
    """The different names of some figures, in the order in which they first come."""
    return list(dict.fromkeys(of(one) for one in found))


def colour(place: int) -> str:
    """A subject's colour."""
    return COLOURS[place % len(COLOURS)]


def legend(axes: Axes) -> None:
    """Who is who, above the plot."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderpad=0, handlelength=1.4)
