"""The features that a stream computes, added to the requests for the models that need them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, Protocol

from modstream.broker.wire.contracts import Request
from modstream.broker.wire.fast_codec import RequestHead
from modstream.broker.wire.records import Headers, Record, response_key
from modstream.broker.wire.topics import Header
from modstream.models.schema.card import ModelCard
from modstream.processors.features.reader import SharedColumns
from modstream.processors.features.row_origin import RowOrigins
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

    def of_columns(
        self,
        names: tuple[str, ...],
        columns: Mapping[str, Sequence[object]],
        origins: RowOrigins,
    ) -> list[SharedColumns]:
        """Return the features for n rows, in the order of the names; NaN if there is no value."""

    def of_rows(
        self, names: tuple[str, ...], rows: Sequence[Mapping[str, Any]], origins: RowOrigins
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

    def of_columns(
        self,
        _names: tuple[str, ...],
        _columns: Mapping[str, Sequence[object]],
        _origins: RowOrigins,
    ) -> list[SharedColumns]:
        """Return no feature for any row."""
        return []

    def of_rows(
        self, _names: tuple[str, ...], rows: Sequence[Mapping[str, Any]], _origins: RowOrigins
    ) -> list[dict[str, float | None]]:
        """Return no feature for any row."""
        return [{} for _ in rows]


NO_FEATURES = NoFeatures()


def no_features() -> StreamFeatures:
    """Return the features of a stream that computes none."""
    return NO_FEATURES


def origins_of(requests: Sequence[RequestHead | Request], records: Sequence[Record]) -> RowOrigins:
    """Return the origins of the rows of requests, one of each.

    A time is the event time, or else the timestamp of the record; a key is that of the answer.
    """
    times = [
        record.timestamp if request.event_time is None else request.event_time
        for request, record in zip(requests, records, strict=True)
    ]
    return RowOrigins(times, partial(_keys_of, requests, records))


def _keys_of(
    requests: Sequence[RequestHead | Request], records: Sequence[Record]
) -> Sequence[bytes]:
    ids = [request.id for request in requests]
    return list(map(response_key, records, ids))


def features_header(position: bytes | None) -> Headers:
    """Return the header of a prediction whose rows have features of the stream."""
    return () if position is None else ((Header.FEATURES_AT, position),)


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
    sources: list[tuple[Request, Record]] = []
    for one in requests:
        own = rows_of(one.request)
        rows.extend(own)
        sources.extend([(one.request, records[one.position])] * len(own))
    origins = origins_of([one for one, _ in sources], [record for _, record in sources])
    added = iter(features.of_rows(names, rows, origins))
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
