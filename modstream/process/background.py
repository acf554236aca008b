"""A named thread beside the main one whose failure is logged, kept and raised in its owner."""

from collections.abc import Callable
from threading import Event, Thread
from typing import Self

import structlog


class BackgroundThread:
    """A daemon thread that runs `target(stop)` until the target returns or `stop` is set.

    An exception of the target is logged with its traceback and kept: `raise_if_failed` raises it
    in the thread that calls it, and so does leaving the context. Exceptions of the types in
    `retry_on` are logged only; the target is called again after `retry_seconds`.
    """

    def __init__(
        self,
        name: str,
        target: Callable[[Event], None],
        *,
        retry_on: tuple[type[Exception], ...] = (),
        retry_seconds: float = 1.0,
    ) -> None:
        self.name = name
        self._target = target
        self._retry_on = retry_on
        self._retry_seconds = retry_seconds
        self._stop = Event()
        self._error: Exception | None = None
        self._log = structlog.get_logger(__name__).bind(thread=name)
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> Self:
        """Start the thread; a thread can be started once."""
        self._thread.start()
        return self

    def stop(self, timeout: float | None = None) -> None:
        """Set the stop event and wait for the thread, at most `timeout` seconds."""
        self._stop.set()
        self.join(timeout)

    def join(self, timeout: float | None = None) -> None:
        """Wait until the target has returned or failed, at most `timeout` seconds."""
        self._thread.join(timeout)

    @property
    def has_failed(self) -> bool:
        """Whether an exception has ended the thread."""
        return self._error is not None

    def raise_if_failed(self) -> None:
        """Raise the exception that ended the thread, if one did."""
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stop()
        if kind is None:
            self.raise_if_failed()

    def _run(self) -> None:
        while True:
            try:
                self._target(self._stop)
            except self._retry_on as error:
                self._log.warning("background thread retries", cause=str(error))
            except Exception as error:  # noqa: BLE001 - the owner raises it
                self._log.exception("background thread failed")
                self._error = error
                return
            else:
                return
            if self._stop.wait(self._retry_seconds):
                return
