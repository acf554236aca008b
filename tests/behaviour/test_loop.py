"""The loop behaves alike on the in-memory broker and on Kafka, in both delivery modes."""

from collections.abc import Callable, Sequence
from threading import Event

import pytest

from modstream.broker.client.consumer import GroupConsumer
from modstream.broker.errors import ProducerLost, TransactionAborted
from modstream.broker.loop.batch_sizing import AdaptiveBatchSize
from modstream.broker.loop.loop import Loop
from modstream.broker.loop.ports import Delivery, HandlerResult, NoLoopHooks
from modstream.broker.wire.records import ProducerRecord, Record


def upper_case(topic: str) -> Callable[[Sequence[Record]], HandlerResult]:
    return lambda batch: HandlerResult(
        [
            ProducerRecord(
                topic, r.key, (r.value or b"").upper(), (("from", str(r.offset).encode()),)
            )
            for r in batch
        ]
    )


def run_member(
    broker, handle, until: Callable[[int], bool], wrap=lambda deliver: deliver, batch_size=None
):
    """Run the loop of one member until `until(delivered records)` is true, and stop it then."""
    stop, delivered = Event(), 0

    class StopHook(NoLoopHooks):
        def on_delivery(self, batch, seconds):
            nonlocal delivered
            delivered += batch.records
            if until(delivered):
                stop.set()

    source, deliver = broker.member()
    try:
        Loop(
            source, handle, wrap(deliver), StopHook(), batch_size=batch_size or AdaptiveBatchSize()
        ).run(stop)
    finally:
        deliver.close()
        if isinstance(source, GroupConsumer):
            source.close()


def requests(count, topic="in"):
    return [
        ProducerRecord(topic, b"key-%d" % (n % 7), b"word-%d" % n, (("n", b"%d" % n),))
        for n in range(count)
    ]


def assert_ordered_by_key(responses):
    for key in {r.key for r in responses}:
        numbers = [int(r.value[5:]) for r in responses if r.key == key]
        assert numbers == sorted(numbers)


def test_every_record_gets_one_response_in_the_order_of_its_key(broker):
    broker.send(requests(500))

    run_member(broker, upper_case(broker.topic("out")), until=lambda count: count == 500)

    responses = broker.read("out")
    assert sorted(r.value for r in responses) == sorted(b"WORD-%d" % n for n in range(500))
    assert_ordered_by_key(responses)


def test_a_second_member_continues_where_the_first_one_stopped(broker):
    broker.send(requests(100))
    run_member(broker, upper_case(broker.topic("out")), until=lambda count: count == 100)
    broker.send(requests(50))

    run_member(broker, upper_case(broker.topic("out")), until=lambda count: count == 50)

    assert len(broker.read("out")) == 150


def test_a_batch_whose_delivery_fails_is_processed_again_and_gets_one_response(broker):
    class FailsTwice:
        def __init__(self, deliver: Delivery):
            self.deliver, self.left = deliver, 2

        def __call__(self, records, batch):
            if self.left:
                self.left -= 1
                raise TransactionAborted("a test failure")
            self.deliver(records, batch)

    broker.send(requests(40))
    handled = []

    def handle(batch):
        handled.extend(batch)
        return upper_case(broker.topic("out"))(batch)

    run_member(broker, handle, until=lambda count: count == 40, wrap=FailsTwice)

    assert len(handled) > 40
    assert len(broker.read("out")) == 40


def test_records_polled_after_a_failed_batch_are_polled_again_after_it(broker):
    class FailsEveryThird:
        def __init__(self, deliver: Delivery):
            self.deliver, self.calls = deliver, 0

        def __call__(self, records, batch):
            self.calls += 1
            if self.calls % 3 == 1:
                raise TransactionAborted("a test failure")
            self.deliver(records, batch)

    broker.send(requests(300))

    run_member(
        broker,
        upper_case(broker.topic("out")),
        until=lambda count: count == 300,
        wrap=FailsEveryThird,
        batch_size=AdaptiveBatchSize(max_records=20, size=20),
    )

    responses = broker.read("out")
    assert sorted(r.value for r in responses) == sorted(b"WORD-%d" % n for n in range(300))
    assert_ordered_by_key(responses)


def test_under_a_backlog_a_batch_is_handled_while_the_previous_one_is_delivered(broker):
    delivering, handling, batches = Event(), Event(), []

    class WaitingDelivery:
        def __init__(self, deliver: Delivery):
            self.deliver = deliver

        def __call__(self, records, batch):
            delivering.set()
            assert handling.wait(30), "the second batch is not handled during the first delivery"
            self.deliver(records, batch)

    def handle(batch):
        batches.append(len(batch))
        if len(batches) == 2:
            assert delivering.wait(30)
            handling.set()
        return upper_case(broker.topic("out"))(batch)

    broker.send(requests(12))

    # With batches of one record, every batch is full, so the loop does not wait for deliveries.
    run_member(
        broker,
        handle,
        lambda count: count == 12,
        WaitingDelivery,
        AdaptiveBatchSize(max_records=1, size=1),
    )

    assert len(broker.read("out")) == 12


def test_a_loop_whose_deliveries_always_fail_gives_up(broker):
    class AlwaysFails:
        def __init__(self, deliver: Delivery):
            pass

        def __call__(self, records, batch):
            raise TransactionAborted("a test failure")

    broker.send(requests(10))

    with pytest.raises(ProducerLost, match="10 deliveries in a row"):
        run_member(broker, upper_case(broker.topic("out")), until=lambda _: False, wrap=AlwaysFails)


def test_headers_and_tombstones_reach_the_handler(broker):
    broker.send([ProducerRecord("in", b"k", None, (("traceparent", b"00-1"), ("empty", None)))])
    handled = []

    def handle(batch):
        handled.extend(batch)
        return HandlerResult([])

    run_member(broker, handle, until=lambda count: count == 1)

    assert handled[0].value is None
    assert handled[0].headers == (("traceparent", b"00-1"), ("empty", None))
    assert handled[0].header("traceparent") == b"00-1"
