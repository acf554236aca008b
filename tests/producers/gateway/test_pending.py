"""Requests that wait for their replies: who gets which reply, and how many may wait."""

import asyncio

import pytest

from modstream.producers.gateway.concurrency_limit import ConcurrencyLimit
from modstream.producers.gateway.errors import Overloaded
from modstream.producers.gateway.pending import PendingReplies
from modstream.producers.gateway.replies import Reply

HERE = b"gateway"


def reply(request_id="a", model="m", *, is_error=False, size=1):
    return Reply(request_id, model, "1", b"x" * size, is_error, HERE)


@pytest.fixture
def pending():
    return PendingReplies(ConcurrencyLimit(2, 2), max_bytes=100)


def in_loop(run):
    async def call():
        return run()

    return asyncio.run(call())


def test_a_reply_of_another_model_is_not_the_awaited_one(pending):
    def run():
        waiter = pending.watch("a", "m")
        pending.resolve([reply(model="other"), reply("b"), reply()])
        return waiter.future.result()

    assert in_loop(run).model == "m"


def test_an_error_that_names_no_model_and_the_first_of_any_are_taken(pending):
    def run():
        waiters = [pending.watch("a", "m"), pending.watch("a", None)]
        pending.resolve([reply(model="", is_error=True), reply()])
        return [waiter.future.result().is_error for waiter in waiters]

    assert in_loop(run) == [True, True]


def test_all_who_wait_for_a_request_get_its_reply_and_later_ones_find_it(pending):
    def run():
        waiters = [pending.watch("a", "m") for _ in range(3)]
        pending.resolve([reply()])
        for waiter in waiters:
            pending.unwatch("a", waiter)
        assert not pending.is_watched("a")
        return [waiter.future.result() for waiter in waiters] + [pending.recent("a", "m")]

    assert len(set(in_loop(run))) == 1
    assert pending.recent("a", "other") is None


def test_too_many_requests_or_bytes_are_refused_until_others_have_their_answers(pending):
    pending.admit(60)
    with pytest.raises(Overloaded, match="bytes"):
        pending.admit(60)
    pending.admit(10)
    with pytest.raises(Overloaded, match="2 requests"):
        pending.admit(1)
    pending.release(60)
    pending.admit(60)
    assert (pending.count, pending.bytes) == (2, 70)


def test_a_single_request_may_exceed_the_limit_of_bytes(pending):
    pending.admit(1000)
    assert pending.bytes == 1000


def test_recent_replies_are_bounded_in_bytes(pending):
    pending.resolve(reply(str(number), size=1_000_000) for number in range(40))
    kept = [number for number in range(40) if pending.recent(str(number), "m")]
    assert kept == list(range(24, 40))
