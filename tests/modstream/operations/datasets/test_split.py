"""Splits by time and by group: no row in two parts, none from the future, a sealed test."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from modstream.datasets.catalogue import Catalogue
from modstream.datasets.dataset import Provenance
from modstream.datasets.errors import DatasetSealed, NotSplittable
from modstream.datasets.staged_version import Description
from modstream.operations.datasets.split import SplitSpec, split_dataset

ROWS = 1_000
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def catalogue(tmp_path):
    return Catalogue(tmp_path)


@pytest.fixture
def dataset(catalogue):
    # Not in the order of time; two rows have the same time each.
    times = [(one * 7) % ROWS // 2 for one in range(ROWS)]
    table = pa.table(
        {
            "row": range(ROWS),
            "time": times,
            "moment": [START + timedelta(hours=one) for one in times],
            "known": [None if one % 10 == 0 else time + 50 for one, time in enumerate(times)],
            "user": [f"u{one % 40}" for one in range(ROWS)],
            "gap": [None, *range(1, ROWS)],
            "late": [one % 3 == 0 for one in range(ROWS)],
        }
    )
    with catalogue.create("things") as staged:
        staged.write_table(table)
        origin = Provenance(operation="ingest", source="here")
        return staged.commit(Description(origin, label="late", time_column="time"))


def divide(catalogue, dataset, *spec):
    found = split_dataset(catalogue, dataset, SplitSpec(*spec), "things")
    test = catalogue.open_sealed("things-test", "in a test")
    return found, found.train.read_frame(), test.read_frame()


@pytest.mark.parametrize("column", [None, "moment"])
def test_by_time_the_newest_rows_are_the_test(column, catalogue, dataset):
    found, train, test = divide(catalogue, dataset, "time", 0.2, column)

    assert train.time.max() < test.time.min()
    assert sorted([*train.row, *test.row]) == list(range(ROWS))
    assert len(test) == 200
    assert list(train.row) == sorted(train.row)
    assert found.left_out == 0


def test_labels_that_were_not_known_at_the_border_are_not_trained_on(catalogue, dataset):
    found, train, test = divide(catalogue, dataset, "time", 0.2, None, "known")

    assert train.known.max() < test.time.min()
    assert train.known.notna().all()
    assert len(train) + len(test) + found.left_out == ROWS
    assert len(test) == 200


def test_by_group_no_group_is_in_both_parts(catalogue, dataset):
    _, train, test = divide(catalogue, dataset, "group", 0.3, "user")

    assert not set(train.user) & set(test.user)
    assert len(train) + len(test) == ROWS
    assert 0.1 < len(test) / ROWS < 0.5


def test_a_group_stays_in_its_part_in_later_versions(catalogue, dataset):
    _, _, first = divide(catalogue, dataset, "group", 0.3, "user")
    _, _, second = divide(catalogue, dataset, "group", 0.3, "user")

    assert set(first.user) == set(second.user)
    assert catalogue.versions("things-test") == [1, 2]


def test_the_parts_name_their_parent_and_the_test_is_sealed(catalogue, dataset):
    found = split_dataset(catalogue, dataset, SplitSpec("time", 0.2), "things")

    for part in (found.train, found.test):
        assert part.parent.sha256 == dataset.sha256
        assert str(part.parent) == "things@1"
        assert (part.label, part.time_column) == ("late", "time")
        assert part.facts.provenance.details["border"] == 400
    assert found.train.facts.provenance.details["sibling"] == "things-test@1"
    assert catalogue.open("things-train").rows == 800
    with pytest.raises(DatasetSealed):
        catalogue.open("things-test")
    assert catalogue.openings("things-test") == []


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (("time", 0.2, "nothing"), "no column nothing"), (("time", 0.2, "user"), "no times"),
        (("time", 0.2, "gap"), "gap is missing in 1 rows"), (("group", 0.2), "name the column"),
        (("group", 1e-9, "user"), "the test part would have no rows"),
    ],
)  # fmt: skip
def test_what_cannot_be_split_is_refused(spec, reason, catalogue, dataset):
    with pytest.raises(NotSplittable, match=reason):
        split_dataset(catalogue, dataset, SplitSpec(*spec), "things")

    assert catalogue.names() == ["things"]


def test_without_a_time_column_one_must_be_named(catalogue):
    with catalogue.create("plain") as staged:
        staged.write_table(pa.table({"x": [1, 2]}))
        plain = staged.commit(Description(Provenance(operation="ingest", source="here")))

    with pytest.raises(NotSplittable, match="no time column"):
        split_dataset(catalogue, plain, SplitSpec("time", 0.5), "plain")
