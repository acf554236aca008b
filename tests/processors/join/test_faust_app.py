"""What Faust would drop, and must not: the joiner alone says what connects."""

import asyncio
from types import SimpleNamespace

from faust.types import TP

from modstream.broker.client.connection import Connection
from modstream.broker.wire.topics import Topics
from modstream.processors.join.faust.app import build_app
from modstream.processors.join.faust.transport import ConsumerThread
from modstream.processors.join.joiner import JoinerSettings


def app_in(folder):
    return build_app(Connection("localhost:1"), Topics("flights"), JoinerSettings(data_dir=folder))


def test_what_waits_in_a_queue_is_still_there_when_a_recovery_ends(tmp_path):
    async def story():
        app = app_in(tmp_path)
        queue = app.FlowControlQueue(16, clear_on_resume=True)
        queue.put_nowait("read after the rewind")
        app.flow_control.resume()
        return queue.qsize()

    assert asyncio.run(story()) == 1


def test_a_record_that_was_noted_as_read_too_late_makes_no_earlier_one_old(tmp_path):
    async def story():
        home = TP("flights.labels", 0)
        read = app_in(tmp_path).consumer._read_offset
        read[home] = 900
        return read[home]

    assert asyncio.run(story()) is None


def test_an_input_of_which_nothing_was_taken_is_read_from_its_first_record_again():
    taken, untaken = TP("flights.labels", 0), TP("flights.labels", 1)
    sought = {}
    consumer = SimpleNamespace(
        assignment=lambda: {taken, untaken},
        seek=lambda tp, offset: sought.update({TP(tp.topic, tp.partition): offset}),
    )
    thread = SimpleNamespace(_read_to={taken: 900, untaken: 300}, _ensure_consumer=lambda: consumer)

    asyncio.run(ConsumerThread._rewind(thread, {taken: 500}, {untaken: 0}))

    assert sought == {taken: 500, untaken: 0}
    assert thread._read_to == {taken: 500}
