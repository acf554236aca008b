"""Versions in a Delta table: what the catalogue and the Delta library say of the same commits."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from mlcroissant import Dataset as Croissant

from modstream.datasets import delta
from modstream.datasets.catalogue import Catalogue
from modstream.datasets.dataset import Provenance
from modstream.datasets.errors import CatalogueUnusable, DataLibraryMissing, DatasetChanged
from modstream.datasets.parquet import load_library
from modstream.datasets.staged_version import Description
from modstream.errors import UnknownName

NAME = "things"


@pytest.fixture
def catalogue(tmp_path):
    return Catalogue(tmp_path)


def add(catalogue, rows, schema=None, *, keep=False, offsets=None, form="delta"):
    """Add a version with rows, behind those of the version before if they are kept."""
    with catalogue.create(NAME, form) as staged:
        if keep:
            staged.keep_files(catalogue.open(NAME))
        staged.write_table(pa.Table.from_pylist(rows, schema=schema))
        provenance = Provenance(operation="ingest", source="topic:t", offsets=offsets)
        return staged.commit(Description(provenance, description="some things"))


def test_a_commit_has_rows_offsets_and_facts(catalogue):
    add(catalogue, [{"x": 1}], offsets={0: 5, 1: 7})
    made = add(catalogue, [{"x": 2}], keep=True, offsets={0: 6, 1: 9})

    table = DeltaTable(made.folder)
    assert table.version() == 1
    assert sorted(table.to_pyarrow_table().column("x").to_pylist()) == [1, 2]
    assert table.transaction_version("modstream/topic:t/0") == 6
    assert table.metadata().description == "some things"
    assert json.loads(table.history(1)[0][delta.FACTS])["rows"] == 2
    assert catalogue.open(NAME).facts == made.facts
    assert catalogue.open(f"{NAME}@1").read_table().to_pylist() == [{"x": 1}]
    assert (catalogue.versions(NAME), catalogue.form(NAME)) == ([1, 2], "delta")


def test_a_version_of_other_rows_replaces_those_before_and_these_can_still_be_opened(catalogue):
    add(catalogue, [{"x": 1}])
    made = add(catalogue, [{"x": "one", "at": datetime(2026, 1, 1)}])  # noqa: DTZ001 - as files have

    assert DeltaTable(made.folder).to_pyarrow_table().to_pylist() == [
        {"x": "one", "at": datetime(2026, 1, 1)}  # noqa: DTZ001
    ]
    assert catalogue.versions(NAME) == [1, 2]
    assert catalogue.open(f"{NAME}@1").read_table().to_pylist() == [{"x": 1}]


@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")  # of rdflib
def test_the_description_of_a_version_has_its_rows_alone(catalogue):
    add(catalogue, [{"x": 0}])
    add(catalogue, [{"x": 1}])
    add(catalogue, [{"x": 2}], keep=True)
    made = add(catalogue, [{"x": 3}], keep=True)
    for version, expected in ((2, [1]), (3, [1, 2]), (4, [1, 2, 3])):
        other = Croissant(str(made.folder / f"_croissant-{version}.json"))
        assert not other.metadata.issues.errors
        assert [record["rows/x"] for record in other.records("rows")] == expected


def test_all_types_of_data_sets_are_read_back(catalogue):
    row = {
        "a": 2**53 + 1, "b": 0.1, "c": True, "d": "é", "e": datetime(2026, 1, 1, tzinfo=UTC),
        "a name, {x};": None,
    }  # fmt: skip
    schema = pa.schema(
        [
            ("a", pa.int64()), ("b", pa.float64()), ("c", pa.bool_()), ("d", pa.string()),
            ("e", pa.timestamp("us", "UTC")), ("a name, {x};", pa.string()),
        ]
    )  # fmt: skip
    made = add(catalogue, [row], schema)
    assert DeltaTable(made.folder).to_pyarrow_table().to_pylist() == [row]


def test_what_a_killed_process_left_in_the_table_is_replaced(catalogue, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(delta, "_commit", stop)
        with pytest.raises(KeyboardInterrupt):
            add(catalogue, [{"x": 1}])
    assert catalogue.names() == []

    made = add(catalogue, [{"x": 2}])

    assert (made.version, DeltaTable(made.folder).to_pyarrow_table().to_pylist()) == (1, [{"x": 2}])


def test_rows_that_another_program_has_changed_are_not_trusted(catalogue):
    made = add(catalogue, [{"x": 1}])
    write_deltalake(made.folder, pa.table({"x": [2]}), mode="append")

    with pytest.raises(CatalogueUnusable, match="another program has changed"):
        catalogue.open(NAME)


def test_a_file_that_was_changed_is_refused(catalogue):
    made = add(catalogue, [{"x": 1}])
    made.paths[0].chmod(0o644)
    pq.write_table(pa.table({"x": [9]}), made.paths[0])

    with pytest.raises(DatasetChanged):
        catalogue.open(NAME)


def test_the_form_of_a_data_set_stays(catalogue):
    add(catalogue, [{"x": 1}])
    assert add(catalogue, [{"x": 2}], form=None).facts.form == "delta"
    with pytest.raises(CatalogueUnusable, match="of the form delta"):
        add(catalogue, [{"x": 3}], form="parquet")
    with pytest.raises(UnknownName):
        catalogue.open(f"{NAME}@3")


def test_the_extra_is_named_if_the_library_is_missing():
    with pytest.raises(DataLibraryMissing, match=r"modstream\[delta\]"):
        load_library("deltalake_that_is_missing", delta.EXTRA)
