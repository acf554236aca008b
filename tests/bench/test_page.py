"""The report of the benchmark, from invented measurements."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from rich.console import Console

from bench.machine import Machine
from bench.page import page
from bench.results import Measurement, Missing, summarize, with_pass_through
from bench.table import print_table
from bench.targets import CPU, SCALING_PARTS, THROUGHPUT

ON = Machine(datetime(2026, 1, 2, 3, 4, tzinfo=UTC), 2, 23.0, 9.5, 12)
MISSING = Missing("saturation", "bin8", "modstream", "exactly_once", "modstream: <not> supported")
SYSTEMS = (("pass-through", 100.0), ("modstream", 96.0))


def measurements():
    places = [
        ("saturation", "row8"),
        *((part, case) for part in SCALING_PARTS for case in ("1", "4")),
    ]
    for part, case in places:
        for measure in (THROUGHPUT, CPU):
            found = [
                Measurement(part, case, system, "exactly_once", measure, value)
                for system, value in SYSTEMS
            ]
            yield from with_pass_through(found, lambda one: one.system == "pass-through")
    for measure, value in (("p50 ms", 3.0), ("p99 ms", 9.0), ("p99.9 ms", 20.0)):
        yield Measurement("latency", "25 %", "modstream", "exactly_once", measure, value)


class Wellformed(HTMLParser):
    """Checks that elements are closed in the order in which they were opened."""

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


@pytest.mark.slow
def test_the_page_is_wellformed_and_has_a_plot_for_each_measured_part():
    reader = Wellformed()
    reader.feed(page(summarize(measurements()), [MISSING], ON))

    assert reader.open == []
    assert reader.figures == 3 + len(SCALING_PARTS)


@pytest.mark.slow
def test_the_page_shows_how_many_targets_were_met_and_what_could_not_be_measured():
    text = page(summarize(measurements()), [MISSING], ON)

    assert "<strong>2 of 2</strong> targets met" in text
    assert "bin8: modstream: &lt;not&gt; supported" in text
    assert "2 processors, 23 GiB, load 9.5, niceness 12" in text


def test_the_table_shows_a_target_with_its_measurement_and_verdict():
    console = Console(width=200)
    with console.capture() as capture:
        print_table(console, summarize(measurements()), [MISSING])
    row = next(line for line in capture.get().splitlines() if "ratio >= 0.95" in line)

    assert re.split(r" {2,}", row.strip()) == [
        "saturation",
        "row8",
        "modstream, exactly once",
        "records/s",
        "96",
        "0.96",
        "ratio >= 0.95",
        "met",
    ]


def test_the_table_fits_80_columns_and_names_what_it_leaves_out():
    console = Console(width=80)
    with console.capture() as capture:
        print_table(console, summarize(measurements()), [MISSING])
    lines = capture.get().splitlines()

    assert max(map(len, lines)) <= 80
    assert any(line.startswith("no room for") and "the page shows all" in line for line in lines)
    row = "saturation   row8  modstream, exactly once     records/s          96"
    assert any(line.startswith(row) for line in lines)
