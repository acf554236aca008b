"""The report: one self-contained HTML page."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from bench.charts import Chart, charts
from bench.machine import Machine
from bench.results import Missing, Summary
from bench.table import COLUMNS, cells
from modstream.report.page import render_document

PAGE_CSS = """
td:nth-child(-n+4), th:nth-child(-n+4) { text-align: left; }
.met { color: var(--good); } .missed { color: var(--bad); font-weight: 700; }
"""


def write_page(
    path: Path, summaries: Sequence[Summary], missing: Sequence[Missing], machine: Machine
) -> None:
    """Write the report to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(summaries, missing, machine), encoding="utf-8")


def page(summaries: Sequence[Summary], missing: Sequence[Missing], machine: Machine) -> str:
    """Return the report as an HTML document."""
    return render_document(
        title="modstream's benchmark",
        heading="modstream's benchmark",
        header=f'<p class="span">{escape(str(machine))}</p>{verdict(summaries)}',
        body=f"""{"".join(map(figure, charts(summaries)))}
<div class="scroll"><table><thead><tr>{_head()}</tr></thead>
<tbody>{"".join(_rows(summaries))}</tbody></table></div>
<p class="lines">{"<br>".join(_missing_lines(missing))}</p>""",
        footer="""Medians over rounds in which every system was measured once, on the same broker
with the same records. Ratios are to the raw pass-through of the same delivery in the same round.
docs/speed.md describes how each value is measured.""",
        css=PAGE_CSS,
    )


def verdict(summaries: Iterable[Summary]) -> str:
    """Return a paragraph with the number of targets that were met; empty without targets."""
    results = [summary.is_met for summary in summaries if summary.is_met is not None]
    if not results:
        return ""
    kind = "sound" if all(results) else "unsound"
    count = f"{sum(results)} of {len(results)}"
    return f'<p class="verdict {kind}"><strong>{count}</strong> targets met</p>'


def figure(chart: Chart) -> str:
    """Return a plot with its caption as an HTML figure."""
    caption = f"<figcaption><b>{escape(chart.title)}</b> {escape(chart.caption)}</figcaption>"
    return f"<figure>{caption}{chart.svg}</figure>"


def _head() -> str:
    return "".join(f'<th scope="col">{escape(column)}</th>' for column in COLUMNS)


def _rows(summaries: Iterable[Summary]) -> Iterator[str]:
    for summary in summaries:
        *plain, verdict_word = map(escape, cells(summary))
        row = "".join(f"<td>{cell}</td>" for cell in plain)
        yield f'<tr>{row}<td class="{verdict_word}">{verdict_word}</td></tr>'


def _missing_lines(missing: Iterable[Missing]) -> Iterator[str]:
    for one in missing:
        yield escape(f"{one.part} {one.case}: {one.reason}")
