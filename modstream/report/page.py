"""The account of a stream as one HTML page that needs nothing but itself."""

from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from typing import TypeVar

from matplotlib.axes import Axes

from modstream.report import plots
from modstream.audit.figures import Figures
from modstream.audit.quality import DAY, HOUR, WEEK
from modstream.report.tables import Cell, Nought, Sheet, sheets
from modstream.report.style import CSS
from modstream.report.formatting import date, duration, milliseconds, number, score, verdict

WIDE, HALF = (10.0, 2.7), (4.9, 2.7)
FOOTER = (
    "Computed from the records in the topics of the stream, read committed from their"
    " beginning. Lag alone was sampled while the stream ran."
)

T = TypeVar("T")


def write_page(figures: Figures, path: Path) -> None:
    """Write the page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(figures), encoding="utf-8")


def page(figures: Figures) -> str:
    """The whole document."""
    body = f"""<dl class="key">{"".join(_key_figures(figures))}</dl>
<p class="models">{"".join(_swatches(figures))}</p>
{"".join(_plots(figures))}
{"".join(map(table_of, sheets(figures)))}"""
    return document(
        title=f"Stream {figures.stream}",
        span=_span(figures),
        verdict=verdict(figures),
        good=figures.sound,
        body=body,
        footer=FOOTER,
    )


def document(
    *, title: str, span: str, verdict: tuple[str, str], good: bool, body: str, footer: str
) -> str:
    """A page with its style around a body of HTML; all else is text."""
    word, reason = map(escape, verdict)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}: {word.lower()}</title>
<style>{CSS}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
<p class="span">{escape(span)}</p>
<p class="verdict {"sound" if good else "unsound"}"><strong>{word}</strong>
{reason}</p>
</header>
<main>
{body}
</main>
<footer>{escape(footer)}</footer>
</body>
</html>
"""


def _span(figures: Figures) -> str:
    run = f"run of {duration(figures.pace.throughput.seconds)}"
    span = figures.quality[0].span
    return f"{date(span.first)} to {date(span.last)}, {run}" if span.last else run


def _key_figures(figures: Figures) -> Iterable[str]:
    first = figures.pace.latency[0] if figures.pace.latency else None
    yield key_figure("requests", number(figures.delivery.requests))
    yield key_figure("requests/s, mean", number(figures.pace.throughput.mean))
    if first is not None:
        yield key_figure(
            "latency p50 / p99", f"{milliseconds(first.p50)} / {milliseconds(first.p99)} ms"
        )
    yield key_figure("labels joined", number(figures.labels.joined))
    yield key_figure("hot swaps", number(sum(one.swaps for one in figures.quality)))
    for one in figures.quality:
        yield key_figure(f"AUC {one.model}", score(one.auc))


def key_figure(name: str, value: str) -> str:
    """One of the figures at the head of the page."""
    return f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"


def _swatches(figures: Figures) -> Iterable[str]:
    for place, model in enumerate(figures.route):
        yield f'<span><i style="background:var(--model-{place})"></i>{escape(model)}</span>'


def _plots(figures: Figures) -> Iterable[str]:
    marks = _marks(figures)
    yield _plot("AUC over event time", marks, "auc", plots.auc_over_time, figures)
    yield _plot("Log loss over event time", marks, "loss", plots.log_loss_over_time, figures)
    yield '<div class="pair">'
    note = "p50 solid, p99 dashed; from the request's timestamp to the answer's append"
    yield _plot("Latency over the run", note, "latency", plots.latency_over_time, figures)
    note = "all answers of the run, on a scale of nines"
    yield _plot("Latency by percentile", note, "curve", plots.latency_curve, figures)
    note = "requests sent and answers of all models appended"
    yield _plot("Throughput", note, "throughput", plots.throughput, figures)
    if figures.pace.lag:
        note = "sampled while the stream ran"
        yield _plot("Lag", note, "lag", plots.lag, figures)
    yield "</div>"


def _marks(figures: Figures) -> str:
    bins = {HOUR: "hour", DAY: "day", WEEK: "week"}
    told = f"one point per {bins[figures.quality[0].span.width]} of the request's event time"
    swaps = max(one.swaps for one in figures.quality)
    drawn = max(len(plots.thinned(one)) for one in figures.quality)
    if swaps:
        told += f"; ticks: {drawn} of {swaps} new versions, where each first answered"
    if figures.decisions:
        told += "; lines: promotions (solid) and rollbacks (dashed) by the gate"
    return told


def _plot(
    title: str, note: str, name: str, draw: Callable[[Axes, Figures], None], figures: Figures
) -> str:
    size = WIDE if name in ("auc", "loss") else HALF
    return figure(title, note, name, draw, figures, size)


def figure(
    title: str,
    note: str,
    name: str,
    draw: Callable[[Axes, T], None],
    facts: T,
    size: tuple[float, float],
) -> str:
    """One plot with its caption; `name` keeps its ids apart from others'."""
    drawn = plots.svg(name, draw, facts, size)
    caption = f"<figcaption><b>{escape(title)}</b> {escape(note)}</figcaption>"
    return f"<figure>{caption}{drawn}</figure>"


def table_of(sheet: Sheet) -> str:
    """A sheet as a table with its title and lines."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in sheet.columns)
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in sheet.rows)
    lines = "<br>".join(map(escape, sheet.lines))
    return f"""<section><h2>{escape(sheet.title)}</h2>
<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>
<p class="lines">{lines}</p></section>"""


def _cell(cell: Cell) -> str:
    if isinstance(cell, Nought):
        return f'<td class="{"fault" if cell.count else "nought"}">{escape(str(cell))}</td>'
    return f"<td>{escape(cell)}</td>"
