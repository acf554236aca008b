"""What services call to be traced; it needs none of OpenTelemetry's libraries."""

from collections.abc import Callable, Sequence
from typing import Protocol

from modstream.broker.loop.ports import Delivery, Handler
from modstream.broker.wire.records import Record
from modstream.processors.join.ports import OnJoined, ignore_joined
from modstream.producers.gateway.call_tracing import UNTRACED_CALLS, CallTracer
from modstream.producers.ports import TraceSend, send_untraced

Learn = Callable[[Sequence[Record]], None]
"""Learns a batch of feedback."""
IsNew = Callable[[Record], bool]
"""Returns whether a record was not learned before."""


class ProcessTracing(Protocol):
    """The tracing of one process."""

    def worker(self, handle: Handler, deliver: Delivery, group: str) -> tuple[Handler, Delivery]:
        """Return a worker's handler and delivery with a span for each delivered batch."""

    def joiner(self, group: str) -> OnJoined:
        """Return what is called with each batch that a joiner has joined."""

    def learner(self, learn: Learn, is_new: IsNew, group: str, model: str) -> Learn:
        """Return a function that learns feedback with a span for each batch."""

    def calls(self) -> CallTracer:
        """Return what traces the calls of a gateway."""

    def sends(self, *, begins: bool = False) -> TraceSend:
        """Return what traces sent records.

        Args:
            begins: whether a trace begins with a record that has no trace context.
        """


class NoTracing:
    """The tracing of a process whose traces are off: everything stays as it is."""

    def worker(
        self,
        handle: Handler,
        deliver: Delivery,
        group: str,  # noqa: ARG002
    ) -> tuple[Handler, Delivery]:
        """Return the same handler and delivery."""
        return handle, deliver

    def joiner(self, group: str) -> OnJoined:  # noqa: ARG002
        """Return a function that does nothing."""
        return ignore_joined

    def learner(self, learn: Learn, is_new: IsNew, group: str, model: str) -> Learn:  # noqa: ARG002
        """Return the same function."""
        return learn

    def calls(self) -> CallTracer:
        """Return a tracer whose calls keep their trace context."""
        return UNTRACED_CALLS

    def sends(self, *, begins: bool = False) -> TraceSend:  # noqa: ARG002
        """Return a function that returns the same record."""
        return send_untraced


NO_TRACING = NoTracing()
