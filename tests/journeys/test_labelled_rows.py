"""Requests of every format are labelled and learned alike, row by row."""

import json
from time import monotonic

import pytest
from river.linear_model import LogisticRegression

from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import Reader
from modstream.broker.wire.contracts import Request, Tensor
from modstream.broker.wire.records import ProducerRecord
from modstream.models.runtimes.river.artifact import pack
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import VersionSpec
from tests.journeys.conftest import TIMEOUT_SECONDS, with_route
from tests.journeys.test_tasks import run_learner_thread, wait_until_learned

pytestmark = [pytest.mark.real, pytest.mark.journey]

AT = 1_795_881_627_189
ROWS = [{"x0": 0.25 * row, "x1": -1.0} for row in range(3)]
SCHEMA = InputSchema(features=[Feature(name="x0", kind="float"), Feature(name="x1", kind="float")])


@pytest.fixture
def stack(system):
    """A worker and a joiner of a stream whose model learns."""
    opened = with_route(system, "bugs", stream="bugs")
    opened.create_topics()
    spec = VersionSpec(
        name="bugs", runtime="river", task="binary", classes=(False, True), input_schema=SCHEMA
    )
    with opened.registry() as registry:
        registry.publish(spec, pack(LogisticRegression()))
    opened.start("worker", "worker")
    opened.start("joiner", "joiner")
    opened.wait_for_worker()
    return opened


def send_json(system, topic, key, document):
    with Publisher(system.settings.connection) as publisher:
        publisher.send(ProducerRecord(topic, key.encode(), document))
        publisher.flush()


def raw_tensor(client, request_id, numbers):
    tensor = Tensor(name="X", shape=(len(numbers) // 2, 2), datatype="FP32", data=numbers)
    return client.submit(Request(id=request_id, inputs=(tensor,)))


def read_unjoined(system, count):
    """Wait for labels that could not be joined."""
    found, deadline = [], monotonic() + TIMEOUT_SECONDS
    with Reader(system.settings.connection, [system.topics.unjoined]) as reader:
        while len(found) < count:
            # A poll can end at the end of a partition, without a record.
            found += [json.loads(record.value) for record in reader.poll(0.5)]
            assert monotonic() < deadline, f"only {found}"
    return {(one["id"], one.get("row")): one["reason"] for one in found}


def test_rows_of_every_format_are_joined_and_learned(stack):
    client = stack.client()
    send_json(
        stack, stack.topics.requests, "v2-1",
        b'{"id": "v2-1", "inputs": [{"name": "X", "shape": [1, 2], "datatype": "FP32",'
        b' "data": [0.3, -0.1]}]}',
    )  # fmt: skip
    send_json(
        stack, stack.topics.labels, "v2-1",
        b'{"id": "v2-1", "label": true, "event_time": %d}' % AT,
    )  # fmt: skip
    by_name = client.send(ROWS[0], id="by name")
    listed = client.send(ROWS[:1], id="one listed")
    bulk = client.send(ROWS, id="three rows")
    matrix = raw_tensor(client, "two rows of a tensor", [0.5, 1.0, -0.5, 2.0])
    refused = client.send({"x0": "no number"}, id="refused")
    for request in (by_name, listed):
        client.label(request, value=True, event_time=AT)
    for row in range(3):
        client.label(bulk, value=row > 1, event_time=AT, row=row)
    for row in (1, 0):
        client.label(matrix, value=False, event_time=AT, row=row)
    for request, row in ((bulk, None), (bulk, 3), (listed, 1), (refused, None)):
        client.label(request, value=True, event_time=AT, row=row)
    client.flush()

    with run_learner_thread(stack, "bugs"):
        card = wait_until_learned(stack, "bugs", 8)
        unjoined = read_unjoined(stack, 4)

    assert card.metrics["learned"] == 8
    assert unjoined == {
        ("three rows", None): "row_missing",
        ("three rows", 3): "row_unknown",
        ("one listed", 1): "row_unknown",
        ("refused", None): "refused",
    }
