"""Responses of the fast path, encoded column by column."""

from collections.abc import Sequence
from itertools import repeat
from operator import itemgetter

from modstream.broker.wire.codec import KIND_PREDICTION
from modstream.broker.wire.fast_codec import (
    RequestHead,
    join_columns,
    json_document,
    json_numbers,
    json_strings,
)
from modstream.broker.wire.record_batch import RecordBatch
from modstream.broker.wire.records import (
    OFFSET,
    TOPIC_PARTITION,
    Headers,
    ProducerRecord,
    Record,
    producer_record_of,
    response_key,
)
from modstream.broker.wire.topics import Header
from modstream.models.runtimes.runtime import Outputs
from modstream.processors.predict.fast_path import FastBatch
from modstream.processors.predict.outputs import JsonColumns

PASSED_THROUGH = itemgetter(2)
"""Returns the headers of a request that are passed through."""


def encode_fast(
    topic: str, fast: FastBatch, outputs: Outputs, batch: RecordBatch, *, record_features: bool
) -> list[ProducerRecord]:
    """Return the predictions for the requests of a fast batch, given their finite outputs."""
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
            *fast.format.outputs(outputs),
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
    )
    headers = [(*shared, *more) if more else shared for more in passed]
    keys = list(map(response_key, records, ids))
    fields = zip(repeat(topic), keys, values, headers, repeat(None), strict=False)
    return list(map(producer_record_of, fields))


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
