"""The tracing of a gateway's calls: a port that needs none of OpenTelemetry's libraries."""

from typing import Literal, NamedTuple, Protocol, Self

from modstream.broker.wire.records import Headers


class CallRoute(NamedTuple):
    """What a call asks for: the path of an HTTP route, or the full name of a gRPC method."""

    protocol: Literal["http", "grpc"]
    name: str


class CallResult(NamedTuple):
    """What became of a call: an outcome as in `CallStats`, and what is known of its request.

    `labels` is the number of labels of a call that sends some.
    """

    outcome: str
    request_id: str = ""
    model: str = ""
    version: str = ""
    labels: int | None = None


class CallSpan(Protocol):
    """The span of a call, a context that ends it.

    `headers` are the trace context that its records carry.
    """

    headers: Headers

    def __enter__(self) -> Self:
        """Return the span."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, *_: object
    ) -> None:
        """End the span; an exception is noted."""

    def note(self, result: CallResult) -> None:
        """Note what became of the call."""


class CallTracer(Protocol):
    """Begins the spans of calls."""

    def begin(self, route: CallRoute, stream: str, trace: Headers) -> CallSpan:
        """Begin the span of a call.

        Args:
            route: what the call asks for.
            stream: the stream that it is for.
            trace: the trace context of the caller.
        """


class UntracedCall:
    """A call without a span, whose records carry the caller's trace context."""

    __slots__ = ("headers",)

    def __init__(self, headers: Headers) -> None:
        self.headers = headers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def note(self, result: CallResult) -> None:
        """Do nothing."""


class UntracedCalls:
    """Begins no spans."""

    def begin(self, route: CallRoute, stream: str, trace: Headers) -> CallSpan:  # noqa: ARG002
        """Return a call without a span."""
        return UntracedCall(trace)


UNTRACED_CALLS = UntracedCalls()
UNKNOWN_ROUTE = CallRoute("http", "")
