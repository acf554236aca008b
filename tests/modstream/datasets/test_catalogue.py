"""The catalogue: versions, hashes, seals, and their descriptions in Croissant."""

import json
import shutil

import pyarrow as pa
import pytest
from mlcroissant import Dataset as Croissant

from modstream.datasets.catalogue import Catalogue
from modstream.datasets.dataset import Provenance
from modstream.datasets.errors import CatalogueUnusable, DatasetChanged, DatasetSealed
from modstream.datasets.staged_version import Description, parent_of
from modstream.errors import LockHeld, UnknownName

TABLE = pa.table({"x": [1.0, float("nan"), None], "n": [1, 2, None], "t": ["a", "b", None]})
ORIGIN = Provenance(operation="ingest", source="here.csv", source_sha256="00")


@pytest.fixture
def catalogue(tmp_path):
    return Catalogue(tmp_path / "data")


def add(catalogue, name="things", tables=(TABLE,), **facts):
    with catalogue.create(name) as staged:
        for table in tables:
            staged.write_table(table)
        return staged.commit(Description(ORIGIN, **facts))


def test_a_version_is_opened_as_it_was_written(catalogue):
    made = add(catalogue, label="n", description="three things", access="public")

    found = catalogue.open("things")

    assert found.facts == made.facts
    assert (found.rows, found.label, found.version, str(found)) == (3, "n", 1, "things@1")
    assert [(one.name, one.kind, one.missing) for one in found.columns] == [
        ("x", "float", 2), ("n", "int", 1), ("t", "string", 1),
    ]  # fmt: skip
    assert found.read_table(["n"]).to_pylist() == [{"n": 1}, {"n": 2}, {"n": None}]
    frame = found.read_frame()
    assert frame.dtypes.astype(str).to_dict() == {"x": "float64", "n": "Int64", "t": "str"}


def test_versions_are_numbered_and_stay(catalogue):
    first, second = add(catalogue), add(catalogue, tables=(TABLE, TABLE))

    assert catalogue.names() == ["things"]
    assert catalogue.versions("things") == [1, 2]
    assert catalogue.open("things").sha256 == second.sha256
    assert catalogue.open("things@1").sha256 == first.sha256
    assert sum(batch.num_rows for batch in second.batches(rows=2)) == 6
    assert parent_of(first).sha256 == first.sha256


@pytest.mark.parametrize("name", ["thing", "things@9", "things@x", "../data"])
def test_a_name_that_does_not_exist_is_refused(name, catalogue):
    add(catalogue)

    with pytest.raises(UnknownName):
        catalogue.open(name)


def test_a_version_that_fails_leaves_nothing(catalogue):
    with pytest.raises(CatalogueUnusable, match="no column late"):
        add(catalogue, label="late")

    assert catalogue.names() == []
    assert not list(catalogue.folder.glob("_staging/*"))


def test_what_a_killed_process_left_is_not_seen_and_goes_away(catalogue):
    staging = catalogue.folder / "_staging" / "things"
    staging.mkdir(parents=True)
    (staging / "part-0.parquet").write_bytes(b"half")

    assert catalogue.names() == []
    assert add(catalogue).version == 1


def test_one_process_writes_a_data_set_at_a_time(catalogue):
    with catalogue.create("things"), pytest.raises(LockHeld), catalogue.create("things"):
        pass


@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")  # of rdflib
@pytest.mark.parametrize("tables", [(TABLE,), (TABLE, TABLE)])
def test_the_description_is_croissant_that_others_read(tables, catalogue):
    made = add(catalogue, tables=tables, label="n", license="CC0-1.0")

    other = Croissant(str(made.folder / "croissant.json"))

    issues = other.metadata.issues
    assert (issues.errors, issues.warnings) == (set(), set())
    records = list(other.records("rows"))
    assert [record["rows/n"] for record in records] == [1, 2, None] * len(tables)
    document = json.loads((made.folder / "croissant.json").read_bytes())
    assert document["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    assert document["distribution"][0]["sha256"] == made.facts.files[0].sha256
    assert document["dct:accessRights"] == "private"
    assert document["prov:wasDerivedFrom"] == "here.csv"
    assert document["license"] == "CC0-1.0"


def test_a_changed_file_is_not_opened(catalogue):
    made = add(catalogue)
    path = made.paths[0]
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[10] ^= 1
    path.write_bytes(content)

    with pytest.raises(DatasetChanged, match="has changed"):
        catalogue.open("things")

    assert catalogue.open("things", verify=False).rows == 3
    shutil.move(path, path.with_name("elsewhere"))
    with pytest.raises(DatasetChanged, match="was removed"):
        catalogue.check("things")


def test_a_description_that_cannot_be_read_is_named(catalogue):
    made = add(catalogue)
    (made.folder / "croissant.json").chmod(0o644)
    (made.folder / "croissant.json").write_text('{"modstream:facts": {"name": 1}}')

    with pytest.raises(CatalogueUnusable, match="no description"):
        catalogue.open("things")


def test_files_cannot_be_written_by_accident(catalogue):
    made = add(catalogue)

    assert {path.stat().st_mode & 0o222 for path in made.folder.iterdir()} == {0}


def test_a_sealed_set_is_opened_with_a_reason_only(catalogue):
    add(catalogue, sealed=True)

    with pytest.raises(DatasetSealed):
        catalogue.open("things")
    with pytest.raises(CatalogueUnusable, match="give the reason"):
        catalogue.open_sealed("things", " ")
    assert catalogue.openings("things") == []

    opened = catalogue.open_sealed("things", "final test", who="ann")
    catalogue.open_sealed("things@1", "again")

    assert opened.read_table().num_rows == 3
    first, second = catalogue.openings("things")
    assert (first.who, first.reason, first.version, first.sha256) == (
        "ann", "final test", 1, opened.sha256,
    )  # fmt: skip
    assert second.reason == "again"
    assert catalogue.describe("things").rows == 3


def test_a_test_set_that_was_exchanged_is_not_opened(catalogue):
    made = add(catalogue, sealed=True)
    made.paths[0].chmod(0o644)
    made.paths[0].write_bytes(b"other")

    with pytest.raises(DatasetChanged):
        catalogue.open_sealed("things", "final test")

    assert catalogue.openings("things") == []
