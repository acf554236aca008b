"""Batching: the rows of many requests to one model version as one columnar batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from modstream.broker.wire.contracts import Request
from modstream.broker.wire.features import FeatureRow
from modstream.models.errors import InputError
from modstream.models.schema.input_schema import Batch, InputSchema
from modstream.models.schema.tensors import InputTensor
from modstream.processors.errors import InvalidInput, Refusal


class ModelRequest(NamedTuple):
    """One request to one model.

    `position` is the request's in its batch; `number` is the model's among those it asks.
    """

    position: int
    request: Request
    number: int


class RowRange(NamedTuple):
    """A request's rows in the assembled batch, from `start` to before `stop`."""

    asked: ModelRequest
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class AssembledBatch:
    """The rows of all valid requests, and the reasons why the other requests are invalid."""

    batch: Batch | None
    ranges: list[RowRange]
    rejected: list[tuple[ModelRequest, Refusal]]


def assemble(schema: InputSchema, requests: Sequence[ModelRequest]) -> AssembledBatch:
    """Assemble requests into one batch. An invalid row rejects its own request and no other."""
    rows: list[FeatureRow] = []
    ranges: list[RowRange] = []
    tensors: list[tuple[ModelRequest, Batch]] = []
    rejected: list[tuple[ModelRequest, Refusal]] = []
    for asked in requests:
        features = asked.request.features
        if features is None:
            try:
                tensors.append((asked, schema.parse_tensors(_tensors(asked.request))))
            except InputError as error:
                rejected.append((asked, InvalidInput(error)))
            continue
        start = len(rows)
        if isinstance(features, dict):
            rows.append(features)
        else:
            rows.extend(features)
        ranges.append(RowRange(asked, start, len(rows)))
    parsed = schema.parse_rows(rows)
    if parsed.errors:
        ranges = _split_valid(ranges, parsed.valid_positions, parsed.errors, rejected)
    batches = [parsed.batch] if rows else []
    size = parsed.batch.size
    for asked, batch in tensors:
        batches.append(batch)
        ranges.append(RowRange(asked, size, size + batch.size))
        size += batch.size
    if not ranges:
        return AssembledBatch(None, [], rejected)
    whole = batches[0] if len(batches) == 1 else Batch.concat(batches)
    return AssembledBatch(whole, ranges, rejected)


def take_ranges(batch: Batch, ranges: Sequence[RowRange]) -> tuple[Batch, list[RowRange]]:
    """Return the rows of some ranges as a batch of their own, and the ranges moved to it."""
    rows = [row for rows in ranges for row in range(rows.start, rows.stop)]
    moved, start = [], 0
    for asked, first, stop in ranges:
        moved.append(RowRange(asked, start, start + stop - first))
        start += stop - first
    return batch.take(rows), moved


def _split_valid(
    ranges: Sequence[RowRange],
    kept: Sequence[int],
    errors: dict[int, InputError],
    rejected: list[tuple[ModelRequest, Refusal]],
) -> list[RowRange]:
    """Move ranges to where their rows are in the valid batch; reject those with an invalid row."""
    moved = {row: new for new, row in enumerate(kept)}
    valid = []
    for asked, start, stop in ranges:
        bad = next((row for row in range(start, stop) if row in errors), None)
        if bad is None:
            valid.append(RowRange(asked, moved[start], moved[stop - 1] + 1))
        else:
            row = bad - start if stop - start > 1 else None
            rejected.append((asked, InvalidInput(errors[bad], row)))
    return valid


def _tensors(request: Request) -> list[InputTensor]:
    return [
        InputTensor(tensor.name, tensor.shape, tensor.datatype, tensor.data)
        for tensor in request.inputs or ()
    ]
