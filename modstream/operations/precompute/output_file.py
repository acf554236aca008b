"""The answers of a complete run as a Parquet file, read back from the topic of predictions.

The file has one line for each answered row. Its columns are `row` (from 1), `key`, `id`, `model`,
`version`, `error` with the code of a refused row, and a column for each output, after the name of
the output. An output whose values have several types, or that is a list, is written as JSON.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import read_offset_ranges
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.errors import UnusableSource
from modstream.operations.precompute.responses import ResponseReader, RowResponse
from modstream.operations.precompute.run import parse_offsets
from modstream.operations.precompute.run_folder import Checkpoint, RunPlan
from modstream.processors.precompute.run_progress import LOADING

BATCH_ROWS = 10_000
OWN_COLUMNS = ("row", "key", "id", "model", "version", "error")
JSON = "json"
"""The kind of an output that is written as JSON."""
KINDS: dict[type, str] = {bool: "bool", int: "int", float: "float", str: "string"}


class FileRow(NamedTuple):
    """A line of the file, and the outputs by name."""

    own: tuple[int, str, str, str, int | None, str | None]
    outputs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunAnswers:
    """The answers of a complete run, one for each row, in the order of the topic."""

    connection: Connection
    topics: Topics
    plan: RunPlan
    checkpoint: Checkpoint

    def read(self) -> Iterator[FileRow]:
        """Yield the answers; every call reads the topic again."""
        seen = bytearray(self.checkpoint.progress.sent // 8 + 1)
        reader = ResponseReader(self.plan.ids, self.topics.predictions)
        for response in reader.read(self._records()):
            row = response.attempt.row
            byte, bit = row >> 3, 1 << (row & 7)
            if response.code == LOADING or byte >= len(seen) or seen[byte] & bit:
                continue
            seen[byte] |= bit
            yield self._row(response)

    def _records(self) -> Iterable[Record]:
        first = parse_offsets(self.plan.responses)
        stop = parse_offsets(self.checkpoint.responses)
        ranges = {
            one: (first.get(one, 0), offset)
            for one, offset in stop.items()
            if one.topic == self.topics.predictions and first.get(one, 0) < offset
        }
        return read_offset_ranges(self.connection, self.topics.predictions, ranges)

    def _row(self, response: RowResponse) -> FileRow:
        row, attempt = response.attempt
        key = (response.record.key or b"").decode(errors="replace")
        outputs = json.loads(response.outputs) if response.outputs else {}
        named = outputs if isinstance(outputs, dict) else {"outputs": outputs}
        request_id = self.plan.ids.make(row, attempt)
        own = (row + 1, key, request_id, self.plan.model, response.version, response.code)
        return FileRow(own, named)


@dataclass(slots=True)
class OutputKinds:
    """The kinds of the outputs by name, in the order in which they were seen."""

    kinds: dict[str, str] = field(default_factory=dict)

    def add(self, outputs: dict[str, Any]) -> None:
        """Add the outputs of a row."""
        for name, value in outputs.items():
            if value is None:
                self.kinds.setdefault(name, "")
                continue
            kind, known = KINDS.get(type(value), JSON), self.kinds.get(name) or ""
            if known and known != kind:
                kind = "float" if {known, kind} == {"int", "float"} else JSON
            self.kinds[name] = kind

    def value(self, name: str, outputs: dict[str, Any]) -> Any:  # noqa: ANN401 - a cell
        """Return an output as the cell of its column."""
        value = outputs.get(name)
        if value is None:
            return None
        match self.kinds[name]:
            case "float":
                return float(value)
            case "json":
                return json.dumps(value)
        return value


def write_parquet(read: Callable[[], Iterator[FileRow]], path: Path) -> int:
    """Write answers to a file, which is replaced as a whole; return their number.

    The answers are read twice: first for the columns.

    Raises:
        UnusableSource: pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow.parquet import ParquetWriter  # noqa: PLC0415
    except ImportError:
        raise UnusableSource(
            str(path), "install it with: pip install 'modstream[parquet]'"
        ) from None
    outputs = OutputKinds()
    for line in read():
        outputs.add(line.outputs)
    types = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}
    own_types = [pa.int64(), *[pa.string()] * 3, pa.int64(), pa.string()]
    # An output with the name of an own column is told apart by its prefix.
    names = [f"output.{name}" if name in OWN_COLUMNS else name for name in outputs.kinds]
    fields = [
        *zip(OWN_COLUMNS, own_types, strict=True),
        *zip(names, [types.get(kind, pa.string()) for kind in outputs.kinds.values()], strict=True),
    ]
    schema, count, rows = pa.schema(fields), 0, read()
    temporary = path.with_name(f".{path.name}")
    with ParquetWriter(temporary, schema) as writer:
        while batch := list(islice(rows, BATCH_ROWS)):
            own = [list(column) for column in zip(*(line.own for line in batch), strict=True)]
            cells = [
                [outputs.value(name, line.outputs) for line in batch] for name in outputs.kinds
            ]
            writer.write_batch(pa.record_batch([*own, *cells], schema=schema))
            count += len(batch)
    temporary.replace(path)
    return count
