"""The features that a stream computes, added to the requests for the models that need them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol

from msgspec import Raw

from modstream.broker.wire.contracts import Request
from modstream.broker.wire.fast_codec import RequestHead
from modstream.broker.wire.records import Headers, Record, response_key
from modstream.broker.wire.topics import Header
from modstream.models.schema.card import ModelCard
from modstream.processors.features.row_origin import RowOrigin
from modstream.processors.predict.batching import ModelRequest
from modstream.processors.predict.feature_tensors import rows_of_tensors, with_tensors


class StreamFeatures(Protocol):
    """The features of a stream as one batch sees them.

    `position` is the next offset of the topic of features: all earlier records are counted, and no
    later one.
    """

    @property
    def position(self) -> bytes:
        """The position in decimal digits, as predictions carry it."""

    def needed_by(self, card: ModelCard) -> tuple[str, ...]:
        """Return the names of the features that a version takes from the stream."""

    def as_json(
        self, names: tuple[str, ...], rows: Sequence[Raw], asked: Sequence[RowOrigin]
    ) -> list[bytes]:
        """Return the features for each row as a JSON object; null where there is no value."""

    def of_rows(
        self,
        names: tuple[str, ...],
        rows: Sequence[Mapping[str, Any]],
        asked: Sequence[RowOrigin],
    ) -> list[dict[str, float | None]]:
        """Return the features for each row by name; None if there is no value."""


FindFeatures = Callable[[], StreamFeatures]
"""Returns the features that a new batch is answered with."""


class NoFeatures:
    """The features of a stream that computes none."""

    position = b"0"

    def needed_by(self, _card: ModelCard) -> tuple[str, ...]:
        """Return no name."""
        return ()

    def as_json(
        self, _names: tuple[str, ...], rows: Sequence[Raw], _asked: Sequence[RowOrigin]
    ) -> list[bytes]:
        """Return an empty object for each row."""
        return [b"{}"] * len(rows)

    def of_rows(
        self,
        _names: tuple[str, ...],
        rows: Sequence[Mapping[str, Any]],
        _asked: Sequence[RowOrigin],
    ) -> list[dict[str, float | None]]:
        """Return no feature for any row."""
        return [{} for _ in rows]


NO_FEATURES = NoFeatures()


def no_features() -> StreamFeatures:
    """Return the features of a stream that computes none."""
    return NO_FEATURES


def heads_with_features(
    features: StreamFeatures,
    names: tuple[str, ...],
    heads: Sequence[RequestHead],
    records: Sequence[Record],
) -> list[RequestHead]:
    """Return the heads of requests of one row each, with the stream's features in their rows.

    A feature that the request has itself stays: in JSON the last member of a name counts.
    """
    rows = [head.features for head in heads]
    asked = list(map(origin_of, heads, records))
    added = features.as_json(names, rows, asked)
    return [
        RequestHead(
            head.id,
            with_members(row, members),
            head.inputs,
            head.model,
            head.version,
            head.event_time,
            head.schema_version,
        )
        for head, row, members in zip(heads, rows, added, strict=True)
    ]


def origin_of(request: RequestHead | Request, record: Record) -> RowOrigin:
    """Return the origin of a request's rows.

    Its time is the event time, or else the timestamp of the record; its key is that of the answer.
    """
    time = record.timestamp if request.event_time is None else request.event_time
    return RowOrigin(time, response_key(record, request.id))


def features_header(position: bytes | None) -> Headers:
    """Return the header of a prediction whose rows have features of the stream."""
    return () if position is None else ((Header.FEATURES_AT, position),)


def with_members(row: Raw, members: bytes) -> Raw:
    """Return a JSON object with the members of another one before its own.

    A row that is no object stays as it is, so that it is refused as it would be without them.
    """
    own = bytes(row)
    if own[:2] == b'{"':
        return Raw(b"".join((members[:-1], b",", own[1:])))
    if not own.startswith(b"{"):
        return row
    rest = own[1:].lstrip()
    return Raw(b"".join((members[:-1], b"" if rest == b"}" else b",", rest)))


def requests_with_features(
    features: StreamFeatures,
    names: tuple[str, ...],
    requests: Sequence[ModelRequest],
    records: Sequence[Record],
) -> list[ModelRequest]:
    """Return requests with the stream's features in each row.

    Tensors that are not a column for each feature stay as they are. `records` are those of the
    batch, by the positions of the requests.
    """
    rows: list[Mapping[str, Any]] = []
    asked: list[RowOrigin] = []
    for one in requests:
        own = rows_of(one.request)
        rows.extend(own)
        asked.extend([origin_of(one.request, records[one.position])] * len(own))
    added = iter(features.of_rows(names, rows, asked))
    return [_with_rows(one, added) for one in requests]


def rows_of(request: Request) -> Sequence[Mapping[str, Any]]:
    """Return the rows of a request; none of tensors that are not a column for each feature."""
    if request.features is None:
        return rows_of_tensors(request.inputs or ())
    return (request.features,) if isinstance(request.features, dict) else request.features


def _with_rows(asked: ModelRequest, added: Iterator[dict[str, float | None]]) -> ModelRequest:
    request = asked.request
    own = rows_of(request)
    if not own:
        return asked
    if request.features is None:
        return asked._replace(request=with_tensors(request, list(islice(added, len(own)))))
    rows = [{**next(added), **row} for row in own]
    whole = rows[0] if isinstance(request.features, dict) else tuple(rows)
    return asked._replace(request=request.model_copy(update={"features": whole}))
