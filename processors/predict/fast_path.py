"""The fast path: common requests of a batch, decoded and predicted column by column.

The fast path answers a request exactly as the engine would. Unusual requests, and those without a
finite output, are left to the engine; the fast path never refuses a request. See docs/adr/0011.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import ValidationError

from modstream.broker.errors import NotJson
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.fast_codec import ABSENT, HeadDecoder, RequestHead
from modstream.broker.wire.record_batch import RecordBatch
from modstream.broker.wire.records import response_key
from modstream.broker.wire.tensor_binary import split_at
from modstream.models.errors import PredictError
from modstream.models.evaluation.served_sets import ServedThreshold
from modstream.models.runtimes.runtime import Outputs
from modstream.models.schema.card import ModelCard
from modstream.processors.errors import Refusal
from modstream.processors.predict.engine import predict_finite
from modstream.processors.predict.format_cache import FormatCache
from modstream.processors.predict.model_resolver import ModelResolver, ServableModel
from modstream.processors.predict.request_formats import FormatName, RequestFormat
from modstream.processors.predict.settings import InferenceSettings
from modstream.processors.predict.stream_features import StreamFeatures

GroupKey = tuple[str | None, int | str, bool, bool, bool]
"""The model and reference that requests ask for, and which of features, inputs, tail are absent."""

FORMAT_BY_SHAPE: Mapping[tuple[bool, bool, bool], FormatName] = MappingProxyType(
    {(False, True, True): "row", (True, False, True): "matrix", (True, False, False): "raw"}
)
"""The format of a request by whether it lacks features, inputs, and raw bytes behind the JSON."""


class RequestHeads(NamedTuple):
    """The decoded heads of a batch, with the JSON and the raw bytes they came from, by position.

    A head is None where a request cannot be common.
    """

    heads: list[RequestHead | None]
    documents: list[bytes]
    tails: list[bytes | None]


@dataclass(frozen=True, slots=True)
class RequestGroup:
    """Common requests: positions in the batch, heads and raw bytes are parallel lists."""

    positions: list[int]
    heads: list[RequestHead]
    tails: list[bytes | None]

    def select(self, indices: Sequence[int]) -> "RequestGroup":
        """Return the requests at some ascending indices."""
        if len(indices) == len(self.positions):
            return self
        return RequestGroup(
            [self.positions[index] for index in indices],
            [self.heads[index] for index in indices],
            [self.tails[index] for index in indices],
        )


class DecodedRequests(NamedTuple):
    """The values of requests in a format, and the position of the stream's features in them."""

    format: RequestFormat
    values: list[Any]
    features_at: bytes | None = None


@dataclass(frozen=True, slots=True)
class FastBatch:
    """Requests of one format to one model version, with their decoded values.

    `ref` is the version or alias that they ask for; `number` is the model's among those they ask.
    `positions` are those of the records in the batch; positions, heads and values are parallel.
    `threshold` is that of conformal sets in the answers, None if they have none. `features_at` is
    the position of the stream's features that the rows have, None if the model needs none.
    """

    model: ServableModel
    format: RequestFormat
    ref: int | str
    number: int
    positions: list[int]
    heads: list[RequestHead]
    values: list[Any]
    threshold: ServedThreshold | None = None
    features_at: bytes | None = None

    def excluding(self, positions: Collection[int]) -> "FastBatch":
        """Return the requests at other positions."""
        if not positions:
            return self
        kept = [index for index, at in enumerate(self.positions) if at not in positions]
        return self if len(kept) == len(self.positions) else self.select(kept)

    def select(self, indices: Sequence[int]) -> "FastBatch":
        """Return the requests at some indices."""
        return replace(
            self,
            positions=[self.positions[index] for index in indices],
            heads=[self.heads[index] for index in indices],
            values=[self.values[index] for index in indices],
        )

    def predict(self) -> tuple["FastBatch", Outputs | None]:
        """Predict all requests at once.

        Returns:
            The requests that have a finite output, and the outputs; None if the runtime failed.
        """
        try:
            outputs, indices = predict_finite(self.model, self.format.batch(self.values))
        except PredictError:
            return self.select([]), None
        return (self if indices is None else self.select(indices)), outputs


class FastPath:
    """Decodes the common requests of batches into columns."""

    def __init__(self, settings: InferenceSettings, max_request_bytes: int) -> None:
        self._settings = settings
        self._max_request_bytes = max_request_bytes
        self._decoder = HeadDecoder()
        self._formats = FormatCache()

    def decode_heads(self, batch: RecordBatch) -> RequestHeads:
        """Decode the heads of all requests that are not too large."""
        documents, tails = split_all(batch, self._max_request_bytes)
        return RequestHeads(self._decoder.decode(documents), documents, tails)

    def decode(
        self, decoded: RequestHeads, batch: RecordBatch, resolver: ModelResolver
    ) -> list[FastBatch]:
        """Decode common requests; one for several models is in a batch of each, or in none."""
        positions = [at for at, head in enumerate(decoded.heads) if head is not None]
        heads = [head for head in decoded.heads if head is not None]
        whole = RequestGroup(positions, heads, list(map(decoded.tails.__getitem__, positions)))
        groups: defaultdict[GroupKey, list[int]] = defaultdict(list)
        for index, key in enumerate(self._group_keys(whole, batch)):
            groups[key].append(index)
        return [
            fast
            for key, indices in groups.items()
            for fast in self._batches(key, whole.select(indices), batch, resolver)
        ]

    def _group_keys(self, group: RequestGroup, batch: RecordBatch) -> Iterator[GroupKey]:
        heads, refs = group.heads, [head.version for head in group.heads]
        if self._settings.challenger_share:
            records = map(batch.records.__getitem__, group.positions)
            refs = [
                self._settings.ref_for(head.model, head.version, response_key(record, head.id))
                for record, head in zip(records, heads, strict=True)
            ]
        return zip(
            [head.model for head in heads],
            refs,
            [head.features is ABSENT for head in heads],
            [head.inputs is ABSENT for head in heads],
            [tail is None for tail in group.tails],
            strict=True,
        )

    def _batches(
        self, key: GroupKey, group: RequestGroup, batch: RecordBatch, resolver: ModelResolver
    ) -> list[FastBatch]:
        """Return a batch for each model that the requests ask; none if a model is unavailable."""
        model, ref, name = key[0], key[1], FORMAT_BY_SHAPE.get(key[2:])
        if name is None or not is_valid_ref(model, ref):
            return []
        batches = []
        for number, asked in enumerate(self._settings.models_for(model)):
            effective = resolver.effective_ref(asked, ref)
            found = resolver.resolve(asked, effective)
            if isinstance(found, Refusal):
                return []
            decoded = self._decode(found.card, name, group, batch, resolver.features)
            if decoded is None:
                return []
            form, values, features_at = decoded
            parts = (found, form, effective, number, group.positions, group.heads, values)
            threshold = resolver.threshold(found.card)
            batches.append(FastBatch(*parts, threshold=threshold, features_at=features_at))
        if all(all(batch.values) for batch in batches):
            return batches
        rows = zip(*(batch.values for batch in batches), strict=True)
        whole = [index for index, values in enumerate(rows) if all(values)]
        return [batch.select(whole) for batch in batches] if whole else []

    def _decode(
        self,
        card: ModelCard,
        name: FormatName,
        group: RequestGroup,
        batch: RecordBatch,
        features: StreamFeatures,
    ) -> DecodedRequests | None:
        """Decode the requests of a group for a version; None if the fast path does not."""
        needed = features.needed_by(card)
        if not needed:
            form = self._formats.plain(card, name)
            if form is None:
                return None
            return DecodedRequests(form, form.decode(group.heads, group.tails))
        adding = self._formats.adding(card, needed) if name == "row" else None
        if adding is None:
            return None
        records = [batch.records[position] for position in group.positions]
        added = adding.decode(features, group.heads, records)
        return DecodedRequests(added, added.decode(group.heads, group.tails), features.position)


def split_all(batch: RecordBatch, max_bytes: int) -> tuple[list[bytes], list[bytes | None]]:
    """Return the JSON of each record, empty if it cannot be common, and the raw bytes behind it."""
    documents: list[bytes] = []
    tails: list[bytes | None] = [None] * len(batch.records)
    for position, (record, headers) in enumerate(zip(batch.records, batch.headers, strict=True)):
        value, length = record[4], headers[0]
        if value is None or len(value) > max_bytes:
            value = b""
        elif length is not None:
            try:
                value, tails[position] = split_at(value, length)
            except NotJson:
                value = b""
        documents.append(value)
    return documents, tails


@lru_cache(1024)
def is_valid_ref(model: str | None, ref: int | str) -> bool:
    """Return whether the contract lets a request name this model and this version or alias."""
    try:
        request = Request(id="any", features={}, model=model, version=ref)
    except ValidationError:
        return False
    return request.version == ref
