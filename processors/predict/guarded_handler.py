"""A handler of requests that no record can stop, whatever it does to the process."""

from collections.abc import Sequence

from modstream.broker.errors import InternalError
from modstream.broker.loop.crash_guard import CrashGuard
from modstream.broker.loop.ports import Handler, HandlerResult
from modstream.broker.wire.records import Record
from modstream.processors.predict.inference_log import InferenceLog, with_log_record
from modstream.processors.predict.refusals import Refusals, last_resort_letter
from modstream.processors.predict.responses import OnRefusal, ResponseWriter


class GuardedHandler:
    """Calls a handler of requests inside a crash guard.

    A record on which the handler raises an unforeseen exception, or that ends the process, leaves
    as a dead letter with the code `internal_error`.
    """

    def __init__(
        self,
        handle: Handler,
        guard: CrashGuard,
        writer: ResponseWriter,
        on_refusal: OnRefusal,
        log: InferenceLog | None = None,
    ) -> None:
        self._handle = handle
        self._guard = guard
        self._writer = writer
        self._refusals = Refusals(on_refusal)
        self._log = log

    def __call__(self, batch: Sequence[Record]) -> HandlerResult:
        """Handle one polled batch."""
        results = self._guard.run(self._handle, batch, self._set_aside)
        self._refusals.report()
        return HandlerResult.joined(results)

    def _set_aside(self, record: Record, error: InternalError) -> HandlerResult:
        self._refusals.note(error.code, None)
        letter = last_resort_letter(self._writer, record, error)
        return HandlerResult(with_log_record(self._log, record, error, letter))
