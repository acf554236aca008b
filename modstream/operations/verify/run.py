"""One run: a load, two witnesses beside it, and the verdict in the end."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event
from time import monotonic
from types import TracebackType
from typing import Self
from uuid import uuid4

from modstream.broker.client.admin import Admin
from modstream.operations.verify.audit import Verdict, account, elsewhere
from modstream.operations.verify.load import Plan, send
from modstream.operations.verify.observer import Witness, copies_among, exits, final_truth
from modstream.operations.verify.quiescence import come_to_rest
from modstream.operations.verify.sent_log import Fate, Journal
from modstream.settings import Settings

LOOK_EVERY = 0.2


class Trial:
    """Sends a plan's requests in a thread while two witnesses watch; `verdict` ends it.

    Only requests of this run are judged, unless it is `alone` on its stream: then nothing may
    leave the stream that it did not send. `wanted` is how many it sends, first the plan's number;
    it may be changed while it sends. `witness` opens the reader of committed records, whose
    word is held against the end.
    """

    def __init__(
        self,
        settings: Settings,
        plan: Plan,
        *,
        alone: bool = False,
        witness: Callable[..., Witness] = Witness,
    ) -> None:
        self.plan = plan
        self.wanted = plan.number
        self.journal = Journal(f"verify-{uuid4().hex[:12]}")
        self._connection = settings.connection
        self._topics = settings.topics()
        self._admin = Admin(self._connection)
        self._scope = "" if alone else self.journal.run
        self._undo = ExitStack()
        self._start = self._admin.ends(exits(self._topics))
        where = (self._connection, self._topics, self._start)
        self._committed = witness(*where, scope=self._scope)
        self._uncommitted = Witness(*where, committed=False, scope=self._scope)
        self._sending: Future[None] | None = None
        self._begun = monotonic()
        self.seconds = 0.0

    def __enter__(self) -> Self:
        self._undo.enter_context(self._uncommitted)
        self._undo.enter_context(self._committed)
        thread = self._undo.enter_context(ThreadPoolExecutor(1, "load"))
        self._undo.callback(self._end_sending)
        self._sending = thread.submit(
            send,
            self._connection,
            self._topics.requests,
            self.plan,
            self.journal,
            lambda: self.answered,
            lambda: self.wanted,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._undo.close()

    @property
    def sent(self) -> int:
        """Requests that were sent so far, whatever became of them."""
        return len(self.journal.sent)

    @property
    def is_sending(self) -> bool:
        """Whether the load still goes on."""
        return self._sending is not None and not self._sending.done()

    @property
    def answered(self) -> int:
        """Requests that have left the stream so far, for readers of committed records."""
        return self._committed.answered

    def await_answers(self, count: int, timeout: float) -> bool:
        """Wait until so many requests have left the stream; False if `timeout` s went by first."""
        return self._committed.wait_for(lambda answered: answered >= count, timeout)

    def progress(self, patience: float) -> Iterator[int]:
        """The count of answered requests, several times a second, until there is none to wait for.

        Ends when all are answered, or when for `patience` seconds nothing was sent or answered.
        """
        before, deadline = -1, monotonic() + patience
        while not self.is_answered() and monotonic() < deadline:
            self._committed.wait_for(lambda answered: answered >= self.wanted, LOOK_EVERY)
            if self.sent + self.answered > before:
                before, deadline = self.sent + self.answered, monotonic() + patience
            yield self.answered

    def is_answered(self) -> bool:
        """Whether everything was sent and all that was acknowledged has left the stream."""
        if self.is_sending:
            return False
        ids = self._committed.ids
        return all(one.id in ids for one in self.journal.sent.values() if one.fate is Fate.OK)

    def verdict(self, patience: float = 30.0) -> Verdict:
        """Let the stream come to rest for up to `patience` s, dismiss the witnesses, and judge.

        Raises:
            BrokerError: the cluster could not be asked, so that nothing is known.
        """
        standing = come_to_rest(self._admin, self._topics, Event(), patience)
        self._undo.close()
        self.seconds = monotonic() - self._begun
        if self._sending is not None:
            self._sending.result()
        final = list(final_truth(self._connection, self._topics, self._start, self._scope))
        named = elsewhere(self.journal.sent, final)
        for name, place in copies_among(self._connection, self._topics.requests, named):
            self.journal.relocate(name, place)
        return account(
            self.journal.sent,
            self._committed.seen,
            self._uncommitted.seen,
            final,
            standing,
            self._scope,
        )

    def _end_sending(self) -> None:
        self.wanted = 0
