"""The report of an audit in the terminal, as an HTML page and as a JSON document."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from rich.console import Console

from modstream.audit.result import to_json
from modstream.report.console import print_report
from modstream.report.page import render_page, write_page
from modstream.report.plots import MAX_VERSION_MARKS, thin_version_times

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Outline(HTMLParser):
    """Checks that elements close in order, and collects what a browser would look at."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.open, self.tags, self.loads, self.ids = [], [], [], []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.loads += [found[name] for name in ("src", "href", "data") if found.get(name)]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def document(season) -> str:
    return render_page(season)


def printed(result, width: int) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        print_report(result, console)
    return capture.get()


def test_report_starts_with_its_verdict(season):
    text = printed(season, 100)

    assert text.startswith("SOUND  Each of 4,080 requests has exactly one response per model")


@pytest.mark.parametrize("width", [80, 100])
def test_no_cell_of_the_report_is_wrapped_or_cut(season, width):
    lines = printed(season, width).splitlines()

    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    heads = [line for line, below in pairwise(lines) if below.startswith("──")]
    assert [head.split()[0] for head in heads] == ["model", "labels", "model", "online", "model"]


def test_report_shows_both_models_and_their_difference(season):
    lines = printed(season, 100).splitlines()

    online, frozen, difference = next(line.split()[1:] for line in lines if line.startswith("AUC"))
    assert float(difference) == pytest.approx(float(online) - float(frozen), abs=2e-4)


def test_fault_is_in_the_first_line(story):
    story.flight("good")
    story.ask("lost")

    text = printed(story.audit_result(), 100)

    assert text.startswith("NOT SOUND  missing responses: 2.")


def test_json_has_the_verdict_and_no_nan(story, season):
    story.flight("alone")

    small, large = json.loads(to_json(story.audit_result())), json.loads(to_json(season))

    assert small["quality"][0]["auc"] is None
    assert large["sound"] is True
    assert large["delivery"]["models"][0]["predictions"] == 4000
    assert "NaN" not in to_json(story.audit_result())


@pytest.mark.slow
def test_the_page_is_well_formed(document):
    outline = Outline(document)

    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids))


def test_the_page_loads_nothing(document):
    assert re.search(r"https?://", document) is None
    assert "@import" not in document
    assert all(target.startswith("#") for target in Outline(document).loads)


def test_page_has_all_plots_and_tables(document):
    outline = Outline(document)

    assert outline.tags.count("svg") == outline.tags.count("figure") >= 9
    titles = re.findall(r"<h2 class=\"part\">([^<]*)", document)
    assert titles == ["Slices", "Calibration", "Drift", "Conformal coverage"]
    headings = re.findall(r"<h3>([^<]*)", document)
    assert headings[-4:] == [
        "Calibration errors",
        "Drift per feature",
        "Coverage and calibration of online by month",
        "Coverage and calibration of frozen by month",
    ]
    summaries = re.findall(r"<summary>([^<]*)", document)
    assert summaries == ["Slices of online by value", "Slices of frozen by value"]
    worst = document.count("<b>Worst slices of")
    assert outline.tags.count("table") == 5 + 4 + len(summaries) + worst


def test_the_plots_take_their_colours_from_the_page(document):
    drawn = "".join(re.findall(r"<svg.*?</svg>", document, re.DOTALL))

    assert {"var(--model-0)", "var(--model-1)"} <= set(re.findall(r"var\(--[\w-]+\)", drawn))
    assert set(re.findall(r"#[0-9a-f]{6}\b", drawn)) <= {"#000000"}


def test_marks_of_hundreds_of_versions_are_thinned(season):
    online, frozen = season.quality
    many = replace(online, versions=online.versions * 20)

    assert len(thin_version_times(online)) == online.swaps
    assert len(thin_version_times(many)) <= MAX_VERSION_MARKS
    assert thin_version_times(frozen) == []


def test_nearly_empty_stream_has_a_page(story, tmp_path):
    story.dead_letter(story.ask("illegible", b""))

    write_page(story.audit_result(), tmp_path / "report" / "index.html")

    text = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert Outline(text).open == []
    assert "SOUND" in text


def test_text_of_clients_is_escaped_on_the_page(story):
    story.reject(story.ask("odd"), None, "<script>")

    assert "<script>" not in render_page(story.audit_result())
