"""Topics as data sets on a real broker: each record once, whatever ends the process."""

import json
import signal
import subprocess
import sys
import uuid

import duckdb
import pytest
from deltalake import DeltaTable

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import Publisher
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import TopicSpec
from modstream.datasets.catalogue import Catalogue
from modstream.datasets.delta import app_id
from modstream.datasets.errors import SourceUnusable
from modstream.models.datasets.expectations import ColumnExpectation, Expectations
from modstream.operations.datasets.ingest import IngestSpec, ingest
from modstream.operations.datasets.validation import validate_topic

pytestmark = pytest.mark.real
KILLED = """
import os, signal, sys
from pathlib import Path
from pkgutil import resolve_name
from modstream.broker.client.connection import Connection
from modstream.datasets.catalogue import Catalogue
from modstream.operations.datasets import ingest

bootstrap, topic, folder, place, form = sys.argv[1:]
module, _, name = place.partition(":")
owner, found = resolve_name(module), resolve_name(place.replace(":", "."))

def kill(*arguments, **options):
    result = found(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, kill)
spec = ingest.IngestSpec("feedback", f"topic:{topic}", f"topic:{topic}", form=form)
ingest.ingest(Catalogue(Path(folder)), spec, Connection(bootstrap, {}), lambda _: None)
"""
PLACES = (
    "modstream.operations.datasets.ingest_topic:ingest_rows",
    "modstream.datasets.catalogue:write_metadata",
    "modstream.datasets.catalogue:DataSet",
)
"""After the rows are written, before the version is moved to its place, and after that."""
DELTA_PLACES = (
    "modstream.datasets.delta:_commit",
    "modstream.operations.datasets.ingest_topic:ingest_rows",
    "modstream.datasets.delta:write_metadata",
    "modstream.datasets.delta:sync_folder",
    "modstream.datasets.delta:load_library",
)
"""After the commit; and before it, after each step of writing."""
FORMS = [
    pytest.param("parquet", PLACES[1:2], id="parquet, one"),
    pytest.param("delta", DELTA_PLACES, id="delta"),
    pytest.param("parquet", PLACES, marks=pytest.mark.thorough, id="parquet, all"),
]


@pytest.fixture
def connection(bootstrap):
    return Connection(bootstrap, {})


@pytest.fixture
def topic(connection):
    name = f"feedback-{uuid.uuid4().hex}"
    Admin(connection).create([TopicSpec(name, 3, {})])
    Admin(connection).wait_ready([name])
    yield name
    Admin(connection).delete([name])


def send(connection, topic, documents):
    with Publisher(connection, "test") as publisher:
        for document in documents:
            value = document if isinstance(document, bytes) else json.dumps(document).encode()
            publisher.send(ProducerRecord(topic, f"k{len(value)}".encode(), value))


def take(connection, topic, catalogue, **options):
    spec = IngestSpec("feedback", f"topic:{topic}", f"topic:{topic}", **options)
    return ingest(catalogue, spec, connection, lambda _: None)


def feedback(number, **fields):
    return {"id": f"r{number}", "features": {"x": number}, "label": number % 2 == 0} | fields


def ids(dataset):
    return sorted(dataset.read_table(["id"]).column("id").to_pylist())


@pytest.mark.parametrize(("form", "places"), FORMS)
def test_each_record_is_a_row_once_although_the_process_is_killed(
    form, places, connection, topic, tmp_path
):
    catalogue, sent = Catalogue(tmp_path), []
    for number, place in enumerate(places):
        documents = [feedback(number * 100 + one) for one in range(100)]
        sent += [document["id"] for document in documents]
        send(connection, topic, documents)
        arguments = [connection.bootstrap, topic, str(tmp_path), place, form]
        script = [sys.executable, "-c", KILLED, *arguments]
        assert subprocess.run(script, check=False).returncode == -signal.SIGKILL

        made = take(connection, topic, catalogue, form=form)

        assert ids(made) == sorted(sent)
        if form == "delta":
            assert delta_rows(made) == (sorted(sent), made.facts.provenance.offsets)
        assert sum(made.facts.provenance.offsets.values()) == len(sent)

    assert take(connection, topic, catalogue).version == made.version
    assert catalogue.versions("feedback")[-1] == made.version
    assert len(made.paths) == len(places)


def delta_rows(made):
    """The ids, and the offsets by partition, as the Delta library reads them; DuckDB agrees."""
    table = DeltaTable(made.folder)
    source = made.facts.provenance.source
    offsets = {
        partition: table.transaction_version(app_id(source, partition)) for partition in range(3)
    }
    counted = duckdb.execute("SELECT count(*) FROM read_parquet($1)", [table.file_uris()])
    found = sorted(table.to_pyarrow_table(columns=["id"]).column("id").to_pylist())
    assert counted.fetchone() == (len(found),)
    return found, offsets


def test_a_row_has_the_features_and_what_stands_beside_them(connection, topic, tmp_path):
    compact = {"names": ["x", "y"], "rows": 1, "data": [1.5, 2.0]}
    send(connection, topic, [{"id": "a", "features": compact, "predictions": [{"model": "m"}]}])
    send(connection, topic, [b"no JSON"])

    made = take(connection, topic, Catalogue(tmp_path))

    (row,) = made.read_table().to_pylist()
    assert (row["x"], row["y"], row["id"]) == (1.5, 2.0, "a")
    assert json.loads(row["predictions"]) == [{"model": "m"}]
    assert row["record_key"].startswith("k")
    assert (row["record_partition"], row["record_offset"]) in {(0, 0), (1, 0), (2, 0)}
    assert made.facts.provenance.details == {"records_left_out": 1}


def test_the_rows_of_a_topic_are_validated_by_the_same_expectations(connection, topic):
    send(connection, topic, [feedback(1), feedback(2, features={"x": "no number"})])
    expectations = Expectations(columns={"x": ColumnExpectation(kind="int")})

    result = validate_topic(connection, topic, expectations)

    (cell,) = result.examples
    assert (result.rows, cell.column, cell.value, cell.rule) == (2, "x", "no number", "kind int")
    partition, offset = map(int, result.row_names[cell.row].split(":"))
    assert 0 <= partition < 3
    assert offset in {0, 1}


@pytest.mark.parametrize("form", ["parquet", "delta"])
def test_later_records_may_have_other_columns_and_types(form, connection, topic, tmp_path):
    catalogue = Catalogue(tmp_path)
    send(connection, topic, [feedback(1)])
    take(connection, topic, catalogue, label="label", form=form)
    send(connection, topic, [feedback(2, features={"x": 0.5, "new": "word"})])

    made = take(connection, topic, catalogue)

    rows = sorted(made.read_table().to_pylist(), key=lambda row: row["id"])
    assert [(row["id"], row["x"], row["new"]) for row in rows] == [
        ("r1", 1.0, None), ("r2", 0.5, "word"),
    ]  # fmt: skip
    assert made.label == "label"
    assert catalogue.open("feedback@1").rows == 1


def test_another_topic_is_not_added_to_a_data_set(connection, topic, tmp_path):
    catalogue, other = Catalogue(tmp_path), f"{topic}-other"
    send(connection, topic, [feedback(1)])
    take(connection, topic, catalogue)
    Admin(connection).create([TopicSpec(other, 1, {})])
    Admin(connection).wait_ready([other])

    with pytest.raises(SourceUnusable, match="choose another name"):
        take(connection, other, catalogue)
