"""Requests of one model become one batch, and each request knows which rows of it are its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from modstream.broker.wire.contracts import Request
from modstream.broker.wire.features import Row
from modstream.broker.wire.records import Record
from modstream.models.errors import InputError
from modstream.models.schema.input_schema import Batch, InputSchema, Tensor
from modstream.processors.errors import InvalidInput, Refusal


class Ask(NamedTuple):
    """One request to one model.

    `place` is the record's in its polled batch, `number` the model's among those it asks.
    """

    place: int
    record: Record
    request: Request
    number: int


class Share(NamedTuple):
    """An ask and its rows, from `start` to before `stop`, in the assembled batch."""

    ask: Ask
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Assembled:
    """The rows of all valid asks under each other, and what is wrong with the other asks."""

    batch: Batch | None
    shares: list[Share]
    refused: list[tuple[Ask, Refusal]]


def assemble(schema: InputSchema, asks: Sequence[Ask]) -> Assembled:
    """Turn asks into one batch. A bad row costs its own request and no other."""
    rows: list[Row] = []
    spans: list[Share] = []
    tensors: list[tuple[Ask, Batch]] = []
    refused: list[tuple[Ask, Refusal]] = []
    for ask in asks:
        features = ask.request.features
        if features is None:
            try:
                tensors.append((ask, schema.tensors(_tensors(ask.request))))
            except InputError as error:
                refused.append((ask, InvalidInput(error)))
            continue
        start = len(rows)
        if isinstance(features, dict):
            rows.append(features)
        else:
            rows.extend(features)
        spans.append(Share(ask, start, len(rows)))
    sorted_rows = schema.batch(rows)
    if sorted_rows.errors:
        spans = _sift(spans, sorted_rows.kept, sorted_rows.errors, refused)
    batches = [sorted_rows.batch] if rows else []
    size = sorted_rows.batch.size
    for ask, batch in tensors:
        batches.append(batch)
        spans.append(Share(ask, size, size + batch.size))
        size += batch.size
    if not spans:
        return Assembled(None, [], refused)
    return Assembled(batches[0] if len(batches) == 1 else Batch.concat(batches), spans, refused)


def key_of(record: Record, request_id: str) -> bytes:
    """An answer's key: the request's own, so that both lie in partitions of the same number."""
    return request_id.encode() if record.key is None else record.key


def _sift(
    spans: Sequence[Share],
    kept: Sequence[int],
    errors: dict[int, InputError],
    refused: list[tuple[Ask, Refusal]],
) -> list[Share]:
    """Move shares to where their rows are in the good batch; refuse those with a bad row."""
    moved = {position: new for new, position in enumerate(kept)}
    good = []
    for ask, start, stop in spans:
        bad = next((row for row in range(start, stop) if row in errors), None)
        if bad is None:
            good.append(Share(ask, moved[start], moved[stop - 1] + 1))
        else:
            row = bad - start if stop - start > 1 else None
            refused.append((ask, InvalidInput(errors[bad], row)))
    return good


def _tensors(request: Request) -> list[Tensor]:
    return [
        Tensor(tensor.name, tensor.shape, tensor.datatype, tensor.data)
        for tensor in request.inputs or ()
    ]
