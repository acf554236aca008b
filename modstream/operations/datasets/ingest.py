"""Ingestion: rows of a file, a query, a topic, a schema or the flights as a data set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from modstream.broker.client.connection import Connection
from modstream.datasets.catalogue import Catalogue
from modstream.datasets.dataset import Access, DataSet, Form, Provenance
from modstream.datasets.errors import SourceUnusable
from modstream.datasets.parquet import load_library
from modstream.datasets.staged_version import Description, StagedVersion
from modstream.models.datasets.synthetic_rows import synthetic_columns
from modstream.models.schema.input_schema import InputSchema
from modstream.operations.datasets.csv_form import CsvOptions
from modstream.operations.datasets.ingest_file import estimate_file, ingest_file
from modstream.operations.datasets.ingest_sql import estimate_sql, ingest_sql
from modstream.operations.datasets.ingest_topic import (
    TOPIC,
    estimate_topic,
    find_rows,
    ingest_topic,
)
from modstream.operations.datasets.space import SpaceEstimate, free_space, require_space
from modstream.operations.precompute.sql_rows import split_source
from modstream.producers.replay.flights import PACKAGE, load_flights

SQL, DEMO = "sql:", "demo:flights"
NotifyEstimate = Callable[[SpaceEstimate], None]


@dataclass(frozen=True, slots=True)
class IngestSpec:
    """What is ingested, and what its maker says of it.

    `source` is `topic:NAME`, `sql:URL#QUERY`, `demo:flights`, or the path of a file; `shown` is the
    same without a password.
    """

    name: str
    source: str
    shown: str
    label: str | None = None
    time_column: str | None = None
    description: str = ""
    access: Access = "private"
    license: str | None = None
    csv: CsvOptions = field(default_factory=CsvOptions)
    form: Form | None = None
    """How the versions are kept; None for as before."""


def ingest(
    catalogue: Catalogue, spec: IngestSpec, connection: Connection, notify: NotifyEstimate
) -> DataSet:
    """Add a version with the rows of a source.

    A topic is continued behind the rows of the newest version, which is returned if there are no
    later ones.

    Args:
        catalogue: where the version is added.
        spec: what is ingested.
        connection: the connection parameters of Kafka, for topics.
        notify: receives the estimated size before anything is written.

    Raises:
        DatasetError: the source cannot be read, or the disk has too little space.
        UnusableSource: the database refuses the query.
        BrokerError: the topic cannot be read.
    """
    if spec.source.startswith(TOPIC):
        return _ingest_topic(catalogue, spec, connection, notify)
    write: Callable[[StagedVersion], Provenance]
    if spec.source == DEMO:
        estimate, write = _estimate_flights(catalogue.folder), _write_flights
    elif spec.source.startswith(SQL):
        url, query = split_source(spec.source.removeprefix(SQL))
        estimate = estimate_sql(url, query, catalogue.folder)
        write = partial(ingest_sql, url, query, spec.shown)
    else:
        path = Path(spec.source)
        estimate = estimate_file(path, spec.csv, catalogue.folder)
        write = partial(ingest_file, path, spec.csv)
    notify(estimate)
    require_space(catalogue.folder, estimate)
    with catalogue.create(spec.name, spec.form) as staged:
        return staged.commit(_describe(spec, write(staged)))


def ingest_synthetic(
    catalogue: Catalogue, spec: IngestSpec, schema: InputSchema, rows: int, seed: int
) -> DataSet:
    """Add a version with random rows that fit a schema.

    Raises:
        DatasetError: the version cannot be written.
    """
    columns = synthetic_columns(schema, rows, seed)
    details = {"rows": rows, "seed": seed, "schema": schema.model_dump(mode="json")}
    with catalogue.create(spec.name, spec.form) as staged:
        staged.write_table(_table(schema, columns))
        origin = Provenance(operation="synthesize", source=spec.shown, details=details)
        return staged.commit(_describe(spec, origin))


def _table(schema: InputSchema, columns: Mapping[str, Sequence[object]]) -> object:
    arrow = load_library("pyarrow")
    types = {
        "float": arrow.float64(),
        "int": arrow.int64(),
        "bool": arrow.bool_(),
        "string": arrow.string(),
    }
    return arrow.table(
        {one.name: arrow.array(columns[one.name], types[one.kind]) for one in schema.features}
    )


def _ingest_topic(
    catalogue: Catalogue, spec: IngestSpec, connection: Connection, notify: NotifyEstimate
) -> DataSet:
    with catalogue.create(spec.name, spec.form) as staged:
        # Read under the lock: no other process continues the same version.
        earlier = catalogue.open(spec.name) if catalogue.versions(spec.name) else None
        rows = find_rows(connection, spec.source.removeprefix(TOPIC), earlier)
        if earlier is not None and not rows.records:
            return earlier
        estimate = estimate_topic(rows, catalogue.folder)
        notify(estimate)
        require_space(catalogue.folder, estimate)
        if earlier is not None:
            label, time = spec.label or earlier.label, spec.time_column or earlier.time_column
            spec = replace(spec, label=label, time_column=time)
        return staged.commit(_describe(spec, ingest_topic(rows, earlier, staged)))


def _describe(spec: IngestSpec, provenance: Provenance) -> Description:
    return Description(
        provenance,
        label=spec.label,
        time_column=spec.time_column,
        description=spec.description,
        access=spec.access,
        license=spec.license,
    )


def _estimate_flights(folder: Path) -> SpaceEstimate:
    return SpaceEstimate(336_776, 10_000_000, 336_776, 0, free_space(folder))


def _write_flights(staged: StagedVersion) -> Provenance:
    arrow = load_library("pyarrow")
    try:
        table = arrow.Table.from_pandas(load_flights(), preserve_index=False)
    except arrow.ArrowException as error:
        raise SourceUnusable(DEMO, str(error)) from None
    staged.write_table(table.replace_schema_metadata(None))
    return Provenance(operation="ingest", source=DEMO, details={"package": PACKAGE})
