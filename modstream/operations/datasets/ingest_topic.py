"""A topic as a data set: each record is a row, exactly once, however often it is continued.

A version holds the rows up to its offsets, which are a part of its description: both exist, or
neither. The next call adds the later records as a further file of a new version, which shares the
earlier files.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import read_offset_ranges
from modstream.broker.wire.features import expand_rows
from modstream.broker.wire.records import OffsetRanges, Record
from modstream.datasets.dataset import DataSet, Provenance
from modstream.datasets.errors import SourceUnusable
from modstream.datasets.parquet import load_library
from modstream.datasets.staged_version import StagedVersion
from modstream.operations.datasets.duck import quoted
from modstream.operations.datasets.ingest_file import copy_relation
from modstream.operations.datasets.space import SpaceEstimate
from modstream.operations.datasets.spooled_rows import estimate_rows, ingest_rows

TOPIC = "topic:"
SAMPLE_RECORDS = 1_000
RECORD = "record_"
"""Prefix of the columns with the key, time, partition and offset of a record."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(slots=True)
class TopicRows:
    """The rows of the records in some offset ranges, and how many records were none."""

    connection: Connection
    topic: str
    ranges: OffsetRanges
    left_out: int = field(default=0)

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield a row for each record that is a JSON object."""
        filled = {one: bounds for one, bounds in self.ranges.items() if bounds[0] < bounds[1]}
        if not filled:
            return
        for record in read_offset_ranges(self.connection, self.topic, filled):
            row = row_of(record)
            if row is None:
                self.left_out += 1
            else:
                yield row

    @property
    def records(self) -> int:
        """The number of offsets in the ranges."""
        return sum(max(0, end - start) for start, end in self.ranges.values())


def find_rows(connection: Connection, topic: str, earlier: DataSet | None) -> TopicRows:
    """Return the rows behind those of an earlier version, up to the present end of the topic.

    Raises:
        SourceUnusable: the earlier version has another source, or the topic was created anew.
        TopicMissing: there is no such topic.
    """
    admin = Admin(connection)
    ends = admin.end_offsets([topic], committed=True)
    firsts = admin.first_offsets([topic])
    known: Mapping[int, int] = {}
    if earlier is not None:
        known = _known_offsets(earlier, topic)
        for one, end in ends.items():
            if known.get(one.partition, 0) > end:
                raise SourceUnusable(
                    f"{TOPIC}{topic}",
                    f"{earlier} has rows up to offset {known[one.partition]:,} of {one}, which"
                    f" ends at {end:,}: the topic was created anew, so choose another name",
                )
    ranges = {
        one: (max(known.get(one.partition, 0), firsts[one]), end) for one, end in ends.items()
    }
    return TopicRows(connection, topic, ranges)


def estimate_topic(rows: TopicRows, folder: Path) -> SpaceEstimate:
    """Return how much space the rows will need."""
    sample = TopicRows(rows.connection, rows.topic, rows.ranges)
    return estimate_rows(islice(sample.read(), SAMPLE_RECORDS), rows.records, folder)


def ingest_topic(rows: TopicRows, earlier: DataSet | None, staged: StagedVersion) -> Provenance:
    """Write the rows to a new version, behind those of an earlier one.

    Raises:
        SourceUnusable: there are no rows.
        BrokerError: the topic cannot be read.
    """
    source = f"{TOPIC}{rows.topic}"
    if earlier is not None:
        staged.keep_files(earlier)
    ingest_rows(rows.read(), source, staged)
    _unify(staged, source)
    return Provenance(
        operation="ingest",
        source=source,
        offsets={one.partition: bounds[1] for one, bounds in rows.ranges.items()},
        details={"records_left_out": rows.left_out},
    )


def row_of(record: Record) -> dict[str, Any] | None:
    """Return the row of a record: its fields, with its features by name; None if it has none."""
    try:
        document = _decode(record.value or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    features = _features(document.get("features"))
    if features is not None:
        del document["features"]
        document = {**features, **document}
    key = None if record.key is None else record.key.decode(errors="backslashreplace")
    return {
        **document,
        f"{RECORD}key": key,
        f"{RECORD}time": record.timestamp,
        f"{RECORD}partition": record.partition,
        f"{RECORD}offset": record.offset,
    }


def _features(value: object) -> dict[str, Any] | None:
    """Return the features of one row by name, in whatever form; None for none, or for many rows."""
    try:
        expanded = expand_rows(value)
    except ValueError:
        return None
    rows = [expanded] if isinstance(expanded, dict) else expanded
    is_single = isinstance(rows, list | tuple) and len(rows) == 1 and isinstance(rows[0], dict)
    return dict(rows[0]) if is_single else None


def _known_offsets(earlier: DataSet, topic: str) -> Mapping[int, int]:
    provenance = earlier.facts.provenance
    if provenance.source != f"{TOPIC}{topic}" or provenance.offsets is None:
        raise SourceUnusable(
            f"{TOPIC}{topic}",
            f"{earlier} has the rows of {provenance.source}: choose another name",
        )
    return provenance.offsets


def _unify(staged: StagedVersion, source: str) -> None:
    """Write all files as one if the last one has other columns or types than those before."""
    parquet = load_library("pyarrow.parquet")
    schemas = [parquet.read_schema(path) for path in staged.paths]
    if all(schema.equals(schemas[0]) for schema in schemas):
        return
    paths = staged.take_files()
    listed = ", ".join(quoted(str(path)) for path in paths)
    copy_relation(f"read_parquet([{listed}], union_by_name = true)", source, staged)
    for path in paths:
        path.unlink()
