"""The process of the joiner: runs its Faust app until a signal, a failure or a stall."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import nullcontext, suppress
from time import monotonic

import faust
import structlog
from aiokafka.errors import KafkaError
from faust.exceptions import ConsumerNotStarted

from modstream.broker.loop.progress import EXIT_STALLED, ProgressTracker
from modstream.processors.errors import JoinerError, JoinerStalled, StateUnusable
from modstream.processors.join.faust.app import TABLE_NAME
from modstream.processors.join.joiner import Joiner

STOP_TIMEOUT_S = 15.0
LAG_TIMEOUT_S = 5.0
EXIT_FAILED = os.EX_SOFTWARE
"""Exit code 70 of sysexits.h: an internal software error."""
CHECKS_PER_TIMEOUT = 10
"""Progress checks within the stall timeout."""
MAX_CHECK_INTERVAL_S = 5.0
"""Maximum time between two progress checks: often enough for a health report."""


HealthCallback = Callable[[Joiner, int | None, str], None]
"""Called at every check with the joiner, its lag, and the reason why the lag is unknown (None)."""


def ignore_health(_joiner: Joiner, _lag: int | None, _cause: str) -> None:
    """Report nothing."""


def run_app(app: faust.App, report: HealthCallback = ignore_health) -> int:
    """Join until SIGTERM or SIGINT; return the exit code: 0, EXIT_FAILED or EXIT_STALLED.

    Raises:
        StateUnusable: the folder of the state cannot be written, or another joiner uses it.
    """
    with app.tables[TABLE_NAME].stores or nullcontext():
        return asyncio.run(_serve(app, report))


async def _serve(app: faust.App, report: HealthCallback) -> int:
    log = structlog.get_logger(__name__).bind(app=app.conf.id)
    ends = [
        asyncio.create_task(end)
        for end in (_wait_for_signal(), _run_until_failure(app), watch_progress(app, report))
    ]
    done, pending = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    error = next((task.exception() for task in done if task.exception() is not None), None)
    if isinstance(error, StateUnusable):
        log.error("joiner failed", reason=str(error))
    elif error is not None:
        log.error("joiner failed", exc_info=error)
    try:
        await asyncio.wait_for(app.stop(), STOP_TIMEOUT_S)
    except TimeoutError:
        log.exception("joiner did not stop in time")
        return EXIT_FAILED
    with suppress(StateUnusable):  # All that was committed is kept.
        app.tables[TABLE_NAME].joiner.close()
    if error is None:
        return 0
    return EXIT_STALLED if isinstance(error, JoinerStalled) else EXIT_FAILED


async def _wait_for_signal() -> None:
    received = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, received.set)
    await received.wait()


async def _run_until_failure(app: faust.App) -> None:
    """Run the app; raise the error that ended it."""
    await app.start()
    await app.wait_until_stopped()
    raise app.crash_reason or JoinerError("Faust stopped by itself")


async def watch_progress(app: faust.App, report: HealthCallback = ignore_health) -> None:
    """Raise JoinerStalled if records wait and no offset was committed within the stall timeout.

    Faust and its Kafka client are known to stop silently:
    https://github.com/faust-streaming/faust/issues/175
    """
    entries = app.tables[TABLE_NAME]
    timeout_seconds = entries.settings.stall_timeout
    tracker: ProgressTracker[str] = ProgressTracker()
    while True:
        await asyncio.sleep(min(timeout_seconds / CHECKS_PER_TIMEOUT, MAX_CHECK_INTERVAL_S))
        lag, cause = await _lag(app)
        report(entries.joiner, lag, cause)
        progress = (entries.joiner.restored_rows, app.consumer.committed_offsets())
        tracker.observe({} if lag == 0 else {TABLE_NAME: progress}, monotonic())
        if tracker.stalled(timeout_seconds, monotonic()):
            raise JoinerStalled(lag, timeout_seconds, cause)


async def _lag(app: faust.App) -> tuple[int | None, str]:
    """Return the number of offsets that wait; None and the cause if Kafka does not tell.

    The caller counts a broker that does not answer as a lack of progress.
    """
    try:
        # Unlike wait_for, this never swallows a cancellation that arrives with the result.
        async with asyncio.timeout(LAG_TIMEOUT_S):
            return int(await app.consumer.lag()), ""
    except ConsumerNotStarted:
        return 0, ""
    except (TimeoutError, KafkaError) as error:
        return None, f"{error}"
