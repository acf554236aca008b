"""The report of a gate's rehearsal: how well each member answered, week by week, and who served."""

from html import escape
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from bench.charts import COLOURS, Chart, legend
from bench.page import document, figure
from bench.simulation import Rehearsal
from modstream.audit.quality import DAY
from modstream.processors.promote.decision import Decision
from modstream.report.formatting import date
from modstream.report.plots import INK, MUTED, dated, moment, svg

WEEK_MS = 7 * DAY
SERVED = "served"


class Reigns(NamedTuple):
    """AUC of each member and of what was served, by week; and the decisions, by event time."""

    weeks: list[float]
    auc: dict[str, list[float]]
    decided: list[tuple[float, Decision]]


def reigns(run: Rehearsal) -> Reigns:
    """The weeks of a rehearsal; its requests were scored in the order of time."""
    weeks = np.array(run.times) // WEEK_MS
    starts = [0, *(np.flatnonzero(np.diff(weeks)) + 1).tolist(), len(weeks)]
    parts = list(pairwise(starts))
    return Reigns(
        [moment(run.times[start]) for start, _ in parts],
        {name: [run.auc(name, *part) for part in parts] for name in run.said},
        [
            (moment(at), decision)
            for (_, decision), at in zip(run.decided, run.moments, strict=True)
        ],
    )


def draw(axes: Axes, found: Reigns) -> None:
    """A line for each, what was served on top; a mark for each decision, thin if it rolled back."""
    for place, (name, values) in enumerate(found.auc.items()):
        served = name == SERVED
        colour, width = (INK, 2.0) if served else (COLOURS[place], 1.2)
        axes.plot(found.weeks, values, color=colour, linewidth=width, label=name)
    for at, decision in found.decided:
        style = ":" if decision.action == "rollback" else "-"
        axes.axvline(at, color=MUTED, linewidth=0.7, linestyle=style)
    axes.set_ylabel("AUC")
    dated(axes)
    legend(axes)


def page(run: Rehearsal, told: list[str]) -> str:
    """The whole document; `told` are the figures in words."""
    found = reigns(run)
    note = "by week of the request; lines: promotions, dotted: rollbacks"
    chart = Chart(
        "AUC of every member and of the served answers", note, svg("auc", draw, found, (10.0, 3.4))
    )
    lines = "<br>".join(map(escape, told))
    decisions = "<br>".join(
        escape(f"{date(int(at * DAY))} {one.action} {one.member}: {one.because}")
        for at, one in found.decided
    )
    return document(
        "A family and its gate on flights",
        f'<p class="span">{lines}</p>',
        f'{figure(chart)}<p class="lines">{decisions}</p>',
        "Rehearsed in one process by the classes that the learner runs; docs/learning.md says how.",
    )
