"""The client of the trial processes: sends them versions, and translates their reports."""

import json
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from threading import Lock
from typing import Any, Self

from modstream.models.errors import TrialFailed
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.models.trial.frames import as_scalar, receive_frame, send_frame
from modstream.models.trial.server_process import TrialServer
from modstream.models.trial.settings import TrialLimits
from modstream.models.trial.trial import TrialReport

START_SECONDS = 60.0
"""How long the process of a runtime may take to start and import its libraries."""


class TrialProcess:
    """Runs trials in other processes, several at once; safe to use from several threads.

    Each runtime has a process with its libraries, so that importing those of one does not delay the
    trials of another. It is started with the first trial, or by `prepare`, and ends with this
    process.
    """

    def __init__(self, limits: TrialLimits | None = None) -> None:
        self._limits = limits or TrialLimits()
        self._lock = Lock()
        self._servers: dict[str, TrialServer] = {}

    def prepare(self, runtime: str) -> None:
        """Start the process of a runtime and return at once, so that its first trial is quick."""
        self._server(runtime).start()

    def wait_until_ready(self, runtime: str) -> None:
        """Wait until the process of a runtime has imported its libraries, or has ended."""
        connection = self._server(runtime).connect()
        if connection is not None:
            with connection, suppress(OSError, EOFError):
                connection.settimeout(START_SECONDS)
                send_frame(connection, b"")
                receive_frame(connection)

    def run(
        self,
        card: ModelCard,
        artifact: Artifact,
        rows: Sequence[Mapping[str, object]] = (),
        warm_up_rows: int = 32,
    ) -> TrialReport:
        """Try a version within the limits; see `try_version`.

        Raises:
            TrialFailed: the version failed, in whatever way.
        """
        request = {
            "card": card.model_dump(mode="json"),
            "rows": list(rows),
            "warm_up_rows": warm_up_rows,
            "limits": asdict(self._limits),
        }
        server = self._server(card.runtime)
        connection = server.connect()
        if connection is None:
            raise TrialFailed(card.name, f"the trial process does not start{server.last_words()}")
        with connection:
            connection.settimeout(START_SECONDS + self._limits.seconds)
            content = json.dumps(request, default=as_scalar).encode()
            reply = _exchange(connection, server, card, content, artifact)
        if "signal" in reply:
            raise TrialFailed(card.name, self._explain(int(reply["signal"])))
        if "reason" in reply:
            is_about_rows = bool(reply.get("is_about_rows"))
            raise TrialFailed(card.name, str(reply["reason"]), is_about_rows=is_about_rows)
        return TrialReport(**reply)

    def close(self) -> None:
        """End all processes and their trials."""
        with self._lock:
            for server in self._servers.values():
                server.close()
            self._servers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _server(self, runtime: str) -> TrialServer:
        with self._lock:
            if runtime not in self._servers:
                self._servers[runtime] = TrialServer(runtime)
            return self._servers[runtime]

    def _explain(self, number: int) -> str:
        """Return what the death of a trial by a signal means."""
        if number == signal.SIGALRM:
            return f"loading and predicting did not end within {self._limits.seconds:g} s"
        megabytes = self._limits.memory_bytes // 2**20
        name = signal.Signals(number).name
        return (
            f"loading or predicting crashed ({name}): it may need more than {megabytes:,} MB of"
            " memory, or its library is at fault"
        )


def _exchange(
    connection: socket.socket,
    server: TrialServer,
    card: ModelCard,
    request: bytes,
    artifact: Artifact,
) -> dict[str, Any]:
    """Send a version to its trial, and return the reply."""
    with suppress(BrokenPipeError, ConnectionResetError):  # its reply says why
        send_frame(connection, request)
        send_frame(connection, artifact.content)
    try:
        reply: dict[str, Any] = json.loads(receive_frame(connection))
    except TimeoutError as error:
        reason = f"the trial process did not answer within {connection.gettimeout():g} s"
        raise TrialFailed(card.name, reason) from error
    except (EOFError, OSError) as error:
        reason = f"the trial process ended{server.last_words()}"
        raise TrialFailed(card.name, reason) from error
    return reply
