"""The rows of a topic: its records are requests, or rows by name, as JSON."""

from collections.abc import Iterator
from typing import Any

import msgspec
import structlog

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import read_offset_ranges
from modstream.broker.wire.records import Record
from modstream.operations.offset_ranges import find_ranges
from modstream.operations.precompute.source_rows import SourceRow, key_text

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def read_topic(connection: Connection, topic: str, column: str | None) -> Iterator[SourceRow]:
    """Yield the rows of a topic, from its beginning to its present end.

    The key of a row is its record's, or with `column` the value of that column. Records that are no
    row are left out, and their number is logged.

    Raises:
        TopicMissing: the topic does not exist.
    """
    left_out, example = 0, ""
    ranges = find_ranges(Admin(connection), [topic])
    for record in read_offset_ranges(connection, topic, ranges):
        row = _read_row(record, column)
        if row is None:
            left_out, example = left_out + 1, example or record.position
        else:
            yield row
    if left_out:
        log = structlog.get_logger(__name__)
        log.warning("records that are no row by name", records=left_out, first=example)


def _read_row(record: Record, column: str | None) -> SourceRow | None:
    try:
        document = _decode(record.value or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    values = document.get("features", document)
    if not isinstance(values, dict) or "inputs" in document:
        return None
    if column is not None:
        return SourceRow(key_text(values.get(column, document.get(column))), values)
    try:
        return SourceRow((record.key or b"").decode() or None, values)
    except UnicodeDecodeError:
        return None
