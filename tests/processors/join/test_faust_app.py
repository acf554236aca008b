"""Behaviour of Faust that the joiner overrides, because it would lose records."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka.errors import GroupAuthorizationFailedError
from faust.types import TP

from modstream.broker.client.connection import Connection
from modstream.broker.wire.topics import Topics
from modstream.processors.join.faust.app import build_app
from modstream.processors.join.faust.transport import ConsumerThread
from modstream.processors.join.settings import JoinerSettings


def app_in(folder):
    return build_app(Connection("localhost:1"), Topics("flights"), JoinerSettings(data_dir=folder))


@pytest.mark.parametrize(("compression", "expected"), [("none", None), ("zstd", "zstd")])
def test_compression_is_that_of_the_connection(tmp_path, compression, expected):
    async def run():
        connection = Connection("localhost:1", compression=compression)
        app = build_app(connection, Topics("flights"), JoinerSettings(data_dir=tmp_path))
        return app.conf.producer_compression_type

    assert asyncio.run(run()) == expected


def test_queues_are_not_cleared_when_a_recovery_ends(tmp_path):
    async def run():
        app = app_in(tmp_path)
        queue = app.FlowControlQueue(16, clear_on_resume=True)
        queue.put_nowait("fetched after the seek")
        app.flow_control.resume()
        return queue.qsize()

    assert asyncio.run(run()) == 1


def test_no_record_counts_as_read_before(tmp_path):
    async def run():
        partition = TP("flights.labels", 0)
        read = app_in(tmp_path).consumer._read_offset
        read[partition] = 900
        return read[partition]

    assert asyncio.run(run()) is None


def test_input_without_a_position_is_read_from_its_first_record():
    processed, unprocessed = TP("flights.labels", 0), TP("flights.labels", 1)
    sought = {}
    consumer = SimpleNamespace(
        assignment=lambda: {processed, unprocessed},
        seek=lambda tp, offset: sought.update({TP(tp.topic, tp.partition): offset}),
    )
    thread = SimpleNamespace(
        _next_offsets={processed: 900, unprocessed: 300}, _ensure_consumer=lambda: consumer
    )

    asyncio.run(ConsumerThread._seek_to(thread, {processed: 500}, {unprocessed: 0}))

    assert sought == {processed: 500, unprocessed: 0}
    assert thread._next_offsets == {processed: 500}


def test_member_that_kafka_keeps_out_of_its_group_says_so(tmp_path):
    async def run():
        app = app_in(tmp_path)
        refused = GroupAuthorizationFailedError("flights.joiner")
        client = SimpleNamespace(_coordinator=SimpleNamespace(_pending_exception=refused))
        app.consumer._thread._consumer = client
        await app.consumer.lag()

    with pytest.raises(GroupAuthorizationFailedError):
        asyncio.run(run())


def test_transport_follows_the_joiner_through_a_new_assignment(tmp_path):
    """Positions of the previous assignment must not be committed after a rebalance."""
    partition = TP("flights.labels", 0)

    async def run():
        app = app_in(tmp_path)
        joiner = app.tables["entries"].joiner
        joiner.assign({0})
        joiner.partitions[0].state.inputs[partition.topic].position = 7
        joiner.resume()
        before = app.transport.positions()
        joiner.assign({1})
        return before, app.transport.positions()

    assert asyncio.run(run()) == ({partition: 7}, {})
