"""A verification run: a load, two observers, and the audit at the end."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event
from time import monotonic
from typing import Self
from uuid import uuid4

from modstream.broker.client.admin import Admin
from modstream.operations.verify.audit import VerificationResult, audit_run, find_misplaced
from modstream.operations.verify.load import VerificationPlan, send_load
from modstream.operations.verify.observer import Observer, exit_topics, find_copies, read_outcomes
from modstream.operations.verify.quiescence import wait_until_quiescent
from modstream.operations.verify.sent_log import SendStatus, SentLog
from modstream.settings import Settings

PROGRESS_INTERVAL_S = 0.2


class VerificationRun:
    """Sends a plan's requests in a thread while two observers read; `finish` ends the run.

    Only requests of this run are audited, unless `is_alone`: then any record of another client is
    a fault. `target` is the number of requests to send; it may be changed during the run.
    `make_observer` opens the reader of committed records, whose outcomes are compared with the
    final ones.
    """

    def __init__(
        self,
        settings: Settings,
        plan: VerificationPlan,
        *,
        is_alone: bool = False,
        make_observer: Callable[..., Observer] = Observer,
    ) -> None:
        self.plan = plan
        self.target = plan.requests
        self.sent_log = SentLog(f"verify-{uuid4().hex[:12]}")
        self._connection = settings.connection
        self._topics = settings.topics()
        self._admin = Admin(self._connection)
        self._scope = "" if is_alone else self.sent_log.run
        self._exit = ExitStack()
        self._start = self._admin.end_offsets(exit_topics(self._topics))
        where = (self._connection, self._topics, self._start)
        self._committed = make_observer(*where, scope=self._scope)
        self._uncommitted = Observer(*where, committed=False, scope=self._scope)
        self._sending: Future[None] | None = None
        self._started = monotonic()
        self.seconds = 0.0

    def __enter__(self) -> Self:
        self._exit.enter_context(self._uncommitted)
        self._exit.enter_context(self._committed)
        thread = self._exit.enter_context(ThreadPoolExecutor(1, "load"))
        self._exit.callback(self._stop_sending)
        self._sending = thread.submit(
            send_load,
            self._connection,
            self._topics.requests,
            self.plan,
            self.sent_log,
            lambda: self.answered,
            lambda: self.target,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    @property
    def sent(self) -> int:
        """The number of requests sent so far, whatever their status."""
        return len(self.sent_log.sent)

    @property
    def is_sending(self) -> bool:
        """Whether the load is still being sent."""
        return self._sending is not None and not self._sending.done()

    @property
    def answered(self) -> int:
        """The number of requests with a committed outcome so far."""
        return self._committed.answered

    def wait_for_answers(self, count: int, timeout: float) -> bool:
        """Wait until `count` requests have left the stream; False after `timeout` s."""
        return self._committed.wait_for(lambda answered: answered >= count, timeout)

    def progress(self, timeout_seconds: float) -> Iterator[int]:
        """Yield the number of answered requests several times a second until the run is complete.

        Ends when all are answered, or after `timeout_seconds` without progress.
        """
        before, deadline = -1, monotonic() + timeout_seconds
        while not self.is_answered() and monotonic() < deadline:
            self._committed.wait_for(lambda answered: answered >= self.target, PROGRESS_INTERVAL_S)
            if self.sent + self.answered > before:
                before, deadline = self.sent + self.answered, monotonic() + timeout_seconds
            yield self.answered

    def is_answered(self) -> bool:
        """Return whether all requests were sent and each acknowledged one has left the stream."""
        if self.is_sending:
            return False
        ids = self._committed.ids
        return all(
            one.id in ids for one in self.sent_log.sent.values() if one.status is SendStatus.OK
        )

    def finish(self, timeout_seconds: float = 30.0) -> VerificationResult:
        """Wait until the stream is quiescent, stop the observers, and audit the run.

        What is not quiescent after `timeout_seconds` is a fault of the run.

        Raises:
            BrokerError: the cluster is unavailable, so no verdict is possible.
        """
        quiescence = wait_until_quiescent(self._admin, self._topics, Event(), timeout_seconds)
        self._exit.close()
        self.seconds = monotonic() - self._started
        if self._sending is not None:
            self._sending.result()
        final = list(read_outcomes(self._connection, self._topics, self._start, self._scope))
        candidates = find_misplaced(self.sent_log.sent, final)
        for name, position in find_copies(self._connection, self._topics.requests, candidates):
            self.sent_log.relocate(name, position)
        return audit_run(
            self.sent_log.sent,
            self._committed.outcomes,
            self._uncommitted.outcomes,
            final,
            quiescence,
            self._scope,
        )

    def _stop_sending(self) -> None:
        self.target = 0
