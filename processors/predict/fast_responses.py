"""Responses of the fast path, encoded column by column."""

from collections.abc import Sequence
from itertools import repeat
from operator import itemgetter
from typing import NamedTuple

from modstream.broker.wire.codec import KIND_PREDICTION
from modstream.broker.wire.fast_codec import (
    RequestHead,
    join_columns,
    json_document,
    json_numbers,
    json_strings,
)
from modstream.broker.wire.record_batch import RecordBatch
from modstream.broker.wire.record_size import (
    HEADER_OVERHEAD,
    MAX_HEADER_BYTES,
    MAX_KEY_BYTES,
    RECORD_OVERHEAD,
    record_size,
)
from modstream.broker.wire.records import (
    OFFSET,
    TOPIC_PARTITION,
    Headers,
    ProducerRecord,
    Record,
    producer_record_of,
    response_key,
)
from modstream.broker.wire.topics import MAX_RECORD_BYTES, Header
from modstream.models.runtimes.runtime import Outputs
from modstream.processors.predict.fast_path import FastBatch
from modstream.processors.predict.outputs import JsonColumns
from modstream.processors.predict.stream_features import features_header

PASSED_THROUGH = itemgetter(2)
"""Returns the headers of a request that are passed through."""
MAX_OVERHEAD = RECORD_OVERHEAD + MAX_HEADER_BYTES + 3 * HEADER_OVERHEAD + 544
"""Upper bound of the bytes that a prediction needs besides its key and value."""


class FastResponses(NamedTuple):
    """The predictions for a fast batch, and the indices of those that must not be produced."""

    records: list[ProducerRecord]
    oversize: list[int]


def encode_fast(
    topic: str,
    fast: FastBatch,
    outputs: Outputs,
    batch: RecordBatch,
    limit: int = MAX_RECORD_BYTES,
    *,
    record_features: bool,
) -> FastResponses:
    """Return the predictions for the requests of a fast batch, given their finite outputs.

    Args:
        topic: the topic of predictions.
        fast: the requests.
        outputs: an output for each of them.
        batch: the batch that they come from.
        limit: the maximum record size of the topic in bytes.
        record_features: whether the primary's predictions carry the features.
    """
    card = fast.model.card
    records = list(map(batch.records.__getitem__, fast.positions))
    passed = map(PASSED_THROUGH, map(batch.headers.__getitem__, fast.positions))
    ids = [head.id for head in fast.heads]
    features: JsonColumns = ()
    if record_features and not fast.number:
        features = (b',"features":', *fast.format.features(fast.heads, fast.values))
    values = join_columns(
        (
            b'{"schema_version":1,"id":"',
            json_strings(ids),
            b'","model":%b,"version":%d,"outputs":' % (json_document(card.name), card.version),
            *fast.format.outputs(outputs, fast.threshold),
            *features,
            *event_times(fast.heads),
            sources(records),
            json_numbers(list(map(OFFSET, records))),
            b"}}",
        )
    )
    shared: Headers = (
        (Header.KIND, KIND_PREDICTION),
        (Header.MODEL, f"{card.name}/{card.version}".encode()),
        *features_header(fast.features_at),
    )
    headers = [(*shared, *more) if more else shared for more in passed]
    keys = list(map(response_key, records, ids))
    fields = zip(repeat(topic), keys, values, headers, repeat(None), strict=False)
    made = list(map(producer_record_of, fields))
    longest_key = max(map(len, keys), default=0)
    longest = longest_key + max(map(len, values), default=0)
    if longest_key <= MAX_KEY_BYTES and longest + MAX_OVERHEAD <= limit:
        return FastResponses(made, [])
    return FastResponses(made, find_oversize(made, limit))


def find_oversize(records: Sequence[ProducerRecord], limit: int) -> list[int]:
    """Return the indices of the records that are larger than `limit`, or whose key is too large."""
    return [
        index
        for index, record in enumerate(records)
        if len(record.key or b"") > MAX_KEY_BYTES or record_size(record) > limit
    ]


def event_times(heads: Sequence[RequestHead]) -> JsonColumns:
    """Return the event times of requests as JSON, where there are any."""
    times = [head.event_time for head in heads]
    if times.count(None) == len(times):
        return ()
    return ([b"" if time is None else b',"event_time":%d' % time for time in times],)


def sources(records: Sequence[Record]) -> list[bytes]:
    """Return the source of each record as JSON, up to its offset."""
    partitions = list(map(TOPIC_PARTITION, records))
    written = {
        one: b',"source":{"topic":%b,"partition":%d,"offset":' % (json_document(one[0]), one[1])
        for one in set(partitions)
    }
    return list(map(written.__getitem__, partitions))
