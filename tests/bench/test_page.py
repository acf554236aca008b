"""The report of the benchmark, from figures made up here."""

from datetime import UTC, datetime
from html.parser import HTMLParser

from rich.console import Console

from bench.machine import Machine
from bench.page import page
from bench.results import Finding, Gap, summaries, with_limits
from bench.table import show
from bench.targets import CPU, GROWING, THROUGHPUT

ON = Machine(datetime(2026, 1, 2, 3, 4, tzinfo=UTC), 2, 23.0, 9.5, 12)
GAP = Gap("saturation", "bin8", "modstream", "exactly_once", "modstream: <not> supported")
SUBJECTS = (("pass-through", 100.0), ("modstream", 96.0))


def figures():
    places = [("saturation", "row8"), *((part, case) for part in GROWING for case in ("1", "4"))]
    for part, case in places:
        for measure in (THROUGHPUT, CPU):
            found = [
                Finding(part, case, subject, "exactly_once", measure, value)
                for subject, value in SUBJECTS
            ]
            yield from with_limits(found, lambda one: one.subject == "pass-through")
    for measure, value in (("p50 ms", 3.0), ("p99 ms", 9.0), ("p99.9 ms", 20.0)):
        yield Finding("latency", "25 %", "modstream", "exactly_once", measure, value)


class Wellformed(HTMLParser):
    """Notes the order in which elements open and close."""

    def __init__(self):
        super().__init__()
        self.open = []
        self.closed = 0
        self.figures = 0

    def handle_starttag(self, tag, attrs):
        if tag not in {"meta", "br"}:
            self.open.append(tag)
        self.figures += tag == "figure"

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.closed += 1


def test_the_page_is_wellformed_and_has_a_plot_for_each_thing_that_was_measured():
    reader = Wellformed()
    reader.feed(page(summaries(figures()), [GAP], ON))

    assert reader.open == []
    assert reader.figures == 3 + len(GROWING)


def test_the_page_says_how_many_goals_were_reached_and_what_could_not_be_measured():
    text = page(summaries(figures()), [GAP], ON)

    assert "<strong>2 of 2</strong> goals reached" in text
    assert "bin8: modstream: &lt;not&gt; supported" in text
    assert "2 processors, 23 GiB, load 9.5, niceness 12" in text


def test_the_table_has_the_goal_beside_the_figure_and_the_verdict():
    console = Console(width=200)
    with console.capture() as capture:
        show(console, summaries(figures()), [GAP])
    row = next(line for line in capture.get().splitlines() if "ratio >= 0.95" in line)

    assert [cell.strip() for cell in row.split("│")[1:-1]] == [
        "saturation",
        "row8",
        "modstream, exactly once",
        "records/s",
        "96",
        "",
        "0.96",
        "ratio >= 0.95",
        "reached",
    ]
