"""The profile of a data set from its files, and its page."""

import math
import random
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pyarrow as pa
import pytest

from modstream.datasets.catalogue import Catalogue
from modstream.datasets.dataset import Provenance
from modstream.datasets.staged_version import Description
from modstream.operations.datasets.explore import profile_dataset
from modstream.operations.datasets.skrub_report import write_skrub_report
from modstream.report.dataset_page import render_dataset_page

START = datetime(2026, 1, 1, tzinfo=UTC)
VOID = {"meta", "line", "rect", "br", "link"}


class Tags(HTMLParser):
    """Checks that tags are closed in order, and collects what would be loaded from elsewhere."""

    def __init__(self):
        super().__init__()
        self.open, self.loaded = [], []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        self.loaded += [value for name, value in attributes if name in {"src", "href"}]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    source = random.Random(1)
    rows = 400
    x = [source.gauss(10, 2) for _ in range(rows)]
    table = pa.table(
        {
            "id": [f"r{one}" for one in range(rows)],
            "x": [math.nan if one % 40 == 0 else value for one, value in enumerate(x)],
            "n": [None if one % 10 == 0 else one % 7 for one in range(rows)],
            "time": [START + timedelta(hours=one) for one in range(rows)],
            "kind": [source.choice(["<b>", "b", "c"]) for _ in range(rows)],
            "nested": [[one] for one in range(rows)],
            "empty": pa.nulls(rows, pa.float64()),
            "late": [value > 10 if one % 50 else None for one, value in enumerate(x)],
        }
    )
    with Catalogue(tmp_path_factory.mktemp("data")).create("things") as staged:
        staged.write_table(table)
        origin = Provenance(operation="ingest", source="<here>.csv")
        return staged.commit(Description(origin, time_column="time"))


def test_a_profile_has_each_column_as_it_is_in_the_files(dataset):
    profile = profile_dataset(dataset)

    columns = {one.name: one for one in profile.columns}
    assert (profile.rows, profile.label.column, profile.time_column) == (400, "late", "time")
    assert columns["id"].is_unique
    assert (columns["x"].missing, columns["x"].distribution.family) == (10, "normal")
    assert (columns["n"].missing, columns["n"].distinct, columns["n"].numbers.maximum) == (40, 7, 6)
    assert columns["time"].numbers.minimum == START.timestamp() * 1000
    assert sum(count for _, count in columns["kind"].top) == 400
    assert {text for text, _ in columns["late"].top} == {"true", "false"}
    assert columns["empty"].present == 0
    assert profile.associations.with_column("late")[0].second == "x"
    assert profile.associations.rows == 392


def test_the_page_is_whole_and_loads_nothing(dataset):
    page = render_dataset_page(profile_dataset(dataset), "beside.html")

    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert tags.loaded == ["beside.html"]
    assert page.count('class="card"') == 8
    assert "<b>" not in page.replace("<b>label</b>", "").replace("<b style", "").replace(
        "<b>Mutual information</b>", ""
    ).replace("<b>Correlation</b>", "")
    assert "2026-01-01" in page
    assert "empty has no values." in page
    assert dataset.sha256 in page


def test_skrubs_report_is_written_beside(dataset, tmp_path):
    write_skrub_report(dataset, tmp_path / "skrub.html")

    assert "things@1" in (tmp_path / "skrub.html").read_text()
