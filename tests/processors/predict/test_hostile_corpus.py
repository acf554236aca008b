"""The requests of the hostile corpus, handled in memory: each one has an exit that was foreseen."""

import json
from collections import Counter

import pytest
from structlog.testing import capture_logs

from modstream.broker.wire.dead_letters import read_cause
from modstream.broker.wire.records import Record
from modstream.models.schema.input_schema import InputSchema
from modstream.processors.predict.deduplication import Deduplicator
from tests.hostile.audit import read_id
from tests.hostile.corpus import FEATURES, corpus
from tests.processors.predict.handlers import TOPICS, worker
from tests.processors.small_fixtures import river_model

BATCH = 200


def read_batches(seed, count):
    """Yield the requests of a corpus in batches, except those that only Kafka's client can read."""
    requests = (
        one
        for one in corpus(seed, count, 1_700_000_000_000)
        if one.topic == "requests" and all(isinstance(name, str) for name, _ in one.headers)
    )
    records = [
        (one, Record(TOPICS.requests, 0, at, one.key, one.value, tuple(one.headers), 0))
        for at, one in enumerate(requests)
    ]
    for start in range(0, len(records), BATCH):
        yield records[start : start + BATCH]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_no_request_of_the_corpus_needs_the_guard(seed):
    schema = InputSchema.of_floats(list(FEATURES))
    models = [river_model(name, schema=schema) for name in ("static", "learning")]
    answer = worker(
        *models,
        route=("static",),
        deduplicator=Deduplicator(10**6, lambda _: (), lambda _: 1),
    )
    exits: Counter[int] = Counter()
    ids: dict[int, str] = {}
    with capture_logs() as logs:
        for batch in read_batches(seed, 5_000):
            ids.update((record.offset, read_id(one)) for one, record in batch)
            exits.update(map(source_offset, answer([record for _, record in batch])))

    assert [entry for entry in logs if entry["log_level"] == "error"] == []
    answered = {ids[offset] for offset in exits}
    assert set(exits.values()) == {1}
    assert [one for offset, one in ids.items() if offset not in exits and one not in answered] == []


def source_offset(record):
    """Return the offset of the request that a response or dead letter belongs to."""
    if record.topic == TOPICS.dlq:
        return int(read_cause(Record(record.topic, 0, 0, None, None, record.headers))["offset"])
    return json.loads(record.value)["source"]["offset"]
