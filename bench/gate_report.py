"""The report of a gate simulation: weekly AUC of each candidate and of the champion."""

from html import escape
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from bench.charts import SYSTEM_COLOURS, Chart, legend
from bench.page import PAGE_CSS, figure
from bench.simulation import SERVED, GateSimulation
from modstream.audit.quality import WEEK_MS
from modstream.models.evaluation.monitoring.periods import DAY_MS
from modstream.processors.promote.decision import Decision
from modstream.report.formatting import format_date
from modstream.report.page import render_document
from modstream.report.plots import INK, MUTED, draw_svg, to_plot_date, use_date_axis


class WeeklyAuc(NamedTuple):
    """Weekly AUC of each candidate and of the champion, and decisions by date, for a plot."""

    weeks: list[float]
    auc: dict[str, list[float]]
    decisions: list[tuple[float, Decision]]


def weekly_auc(run: GateSimulation) -> WeeklyAuc:
    """Return the weekly AUC of a simulation, whose requests are in the order of time."""
    weeks = np.array(run.times) // WEEK_MS
    starts = [0, *(np.flatnonzero(np.diff(weeks)) + 1).tolist(), len(weeks)]
    parts = list(pairwise(starts))
    return WeeklyAuc(
        [to_plot_date(run.times[start]) for start, _ in parts],
        {name: [run.auc(name, *part) for part in parts] for name in run.scores},
        [(to_plot_date(one.time), one.decision) for one in run.decisions],
    )


def draw(axes: Axes, weekly: WeeklyAuc) -> None:
    """Draw a line for each candidate, and one for each decision, dotted if it is a rollback."""
    for index, (name, values) in enumerate(weekly.auc.items()):
        is_served = name == SERVED
        colour, width = (INK, 2.0) if is_served else (SYSTEM_COLOURS[index], 1.2)
        axes.plot(weekly.weeks, values, color=colour, linewidth=width, label=name)
    for at, decision in weekly.decisions:
        style = ":" if decision.action == "rollback" else "-"
        axes.axvline(at, color=MUTED, linewidth=0.7, linestyle=style)
    axes.set_ylabel("AUC")
    use_date_axis(axes)
    legend(axes)


def render_gate_page(run: GateSimulation, results: list[str]) -> str:
    """Return the whole HTML document; `results` are sentences."""
    weekly = weekly_auc(run)
    note = "by week of the request; lines: promotions, dotted: rollbacks"
    chart = Chart(
        "AUC of every candidate and of the served predictions",
        note,
        draw_svg("auc", draw, weekly, (10.0, 3.4)),
    )
    lines = "<br>".join(map(escape, results))
    decisions = "<br>".join(
        escape(
            f"{format_date(int(at * DAY_MS))} {one.action} {one.evidence.candidate}: {one.reason}"
        )
        for at, one in weekly.decisions
    )
    title = "Champion and challengers on flights"
    return render_document(
        title=title,
        heading=title,
        header=f'<p class="span">{lines}</p>',
        body=f'{figure(chart)}<p class="lines">{decisions}</p>',
        footer="Simulated in one process by the classes that the learner runs;"
        " see docs/learning.md.",
        css=PAGE_CSS,
    )
