"""Refusals of calls for predictions before the application is asked, while too many wait.

Under a manifold overload, nearly all calls are refused. Each refusal must cost a fraction of an
answer, or none of the time is left for the calls that were accepted.
"""

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from modstream.producers.gateway.errors import Overloaded
from modstream.producers.gateway.http.answers import refusal_response
from modstream.producers.gateway.http.front import read_path
from modstream.producers.gateway.http.http1 import Http1Protocol

HasRoom = Callable[[int], bool]
"""Returns whether one more call may be accepted beside those that begin at the moment."""
STATUS_LINE = b"HTTP/1.1 429 Too Many Requests\r\n"


def refusal_bytes() -> bytes:
    """Return the whole response to a call that is refused."""
    response = refusal_response(Overloaded("too many requests wait for their answers"))
    headers = b"".join(b"%b: %b\r\n" % pair for pair in response.raw_headers)
    return b"".join((STATUS_LINE, headers, b"\r\n", response.body))


class EarlyRefusals:
    """Decides for all connections which calls are accepted.

    Many calls may arrive before the tasks of the first ones run, so those that begin are counted,
    until the first step of their task has ended: by then, they are counted as waiting calls.
    """

    def __init__(self, has_room: HasRoom) -> None:
        self._has_room = has_room
        self._beginning = 0
        self.refused = 0
        """How many calls were refused."""
        self.response = refusal_bytes()

    def accept(self) -> bool:
        """Return whether a call is accepted; if so, `begun` must follow."""
        if not self._has_room(self._beginning):
            self.refused += 1
            return False
        self._beginning += 1
        return True

    def begun(self) -> None:
        """Count out an accepted call."""
        self._beginning -= 1


class RefusingProtocol(Http1Protocol):
    """A connection that refuses calls for predictions itself while there is no room.

    Others, and all while there is room, go to the application.
    """

    def __init__(self, *arguments: Any, refusals: EarlyRefusals, **options: Any) -> None:  # noqa: ANN401
        """Prepare; the other arguments are those of uvicorn."""
        super().__init__(*arguments, **options)
        self._refusals = refusals

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401
        """Refuse the call, or start the application's task for it."""
        scope = cycle.scope
        if scope["method"] != "POST" or read_path(scope["path"]) is None:
            super()._start_asgi_task(cycle, app)
            return
        if self._refusals.accept():
            super()._start_asgi_task(cycle, app)
            self.loop.call_soon(self._refusals.begun)
            return
        cycle.response_started = cycle.response_complete = True
        self.transport.write(self._refusals.response)
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()
