"""The watch for a joiner that has records to read and makes no progress."""

import asyncio
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError
from faust.exceptions import ConsumerNotStarted

from modstream.processors.errors import JoinerStalled
from modstream.processors.join.faust.app import TABLE_NAME
from modstream.processors.join.faust.run import watch_progress
from modstream.processors.join.settings import JoinerSettings

STALL_TIMEOUT = 0.05
WATCH_SECONDS = 0.3
TIMEOUT = 10


@dataclass
class FakeConsumer:
    """A consumer with a lag, or an error instead of one; commits if it advances."""

    lag_or_error: int | Exception
    advances: bool = False
    checks: int = 0

    async def lag(self):
        if isinstance(self.lag_or_error, Exception):
            raise self.lag_or_error
        return self.lag_or_error

    def committed_offsets(self):
        self.checks += 1
        return {"labels": self.checks if self.advances else 0}


def app_with(consumer):
    settings, joiner = JoinerSettings(stall_timeout=STALL_TIMEOUT), SimpleNamespace(restored_rows=0)
    table = SimpleNamespace(settings=settings, joiner=joiner)
    return SimpleNamespace(tables={TABLE_NAME: table}, consumer=consumer)


def watch(consumer, seconds):
    async def run():
        async with asyncio.timeout(seconds):
            await watch_progress(app_with(consumer))

    asyncio.run(run())


@pytest.mark.parametrize(
    ("lag_or_error", "reason"),
    [
        (7, "7 offsets wait"),
        (KafkaError("away"), "Kafka does not answer"),
        (GroupAuthorizationFailedError("flights.joiner"), "GroupAuthorizationFailed.*joiner"),
    ],
)
def test_joiner_without_progress_is_stalled(lag_or_error, reason):
    with pytest.raises(JoinerStalled, match=reason):
        watch(FakeConsumer(lag_or_error), TIMEOUT)


@pytest.mark.parametrize(
    "consumer",
    [FakeConsumer(0), FakeConsumer(7, advances=True), FakeConsumer(ConsumerNotStarted())],
    ids=["nothing waits", "it commits", "it has not started"],
)
def test_joiner_that_waits_or_works_is_not_stalled(consumer):
    with pytest.raises(TimeoutError):
        watch(consumer, WATCH_SECONDS)


@pytest.mark.parametrize(
    ("lag_or_error", "lag", "cause"), [(7, 7, ""), (KafkaError("away"), None, "away")]
)
def test_each_check_is_reported(lag_or_error, lag, cause):
    reports = []

    async def run():
        async with asyncio.timeout(WATCH_SECONDS):
            await watch_progress(
                app_with(FakeConsumer(lag_or_error, advances=True)),
                lambda _joiner, *state: reports.append(state),
            )

    with pytest.raises((TimeoutError, JoinerStalled)):
        asyncio.run(run())

    assert reports[0][0] == lag
    assert cause in reports[0][1]


def test_watch_ends_when_it_is_cancelled_while_the_lag_arrives():
    """A swallowed cancellation would keep the stopping process alive."""

    class CancellingConsumer(FakeConsumer):
        async def lag(self):
            self.watching.cancel()
            return 0

    async def run():
        consumer = CancellingConsumer(0)
        consumer.watching = asyncio.create_task(watch_progress(app_with(consumer)))
        done, _ = await asyncio.wait([consumer.watching], timeout=TIMEOUT)
        consumer.lag = FakeConsumer(0).lag
        return [task.cancelled() for task in done]

    assert asyncio.run(run()) == [True]
