"""Requests that are no messages: refused as the caller's fault.

The library itself would end such a call with INTERNAL, as if the server had failed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from grpc import aio

from modstream.producers.gateway.rpc.calls import Context

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
"""A method of a service; the library's class is generic for type checkers only."""


class Malformed:
    """What takes the place of a request whose bytes are not its message."""


class TolerantServer:
    """A server to which services are added; it ends calls that are no messages.

    An interceptor would do the same again for each call, and take longer.
    """

    def __init__(self, server: aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Add nothing: the stubs add the same methods by name, too."""

    def add_registered_method_handlers(
        self, service: str, handlers: "Mapping[str, Handler]"
    ) -> None:
        """Add the methods of a service; each refuses what it cannot decode."""
        tolerant = {name: _without_malformed(found) for name, found in handlers.items()}
        self._server.add_registered_method_handlers(service, tolerant)


def _without_malformed(handler: "Handler") -> "Handler":
    """Return the handler of a method, which refuses what it cannot decode."""
    if handler.unary_unary is None or handler.request_deserializer is None:
        return handler
    return grpc.unary_unary_rpc_method_handler(
        _refusing(handler.unary_unary),
        request_deserializer=_tolerant(handler.request_deserializer),
        response_serializer=handler.response_serializer,
    )


def _tolerant(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Return a decoder that marks what it cannot decode."""

    def run(message: bytes) -> Any:  # noqa: ANN401 - the message of any method
        try:
            return decode(message)
        except DecodeError:
            return Malformed()

    return run


def _refusing(method: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return a method that refuses what was marked."""

    async def run(request: Any, context: Context) -> Any:  # noqa: ANN401 - as above
        if isinstance(request, Malformed):
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, "the request is not the message of this method"
            )
        return await method(request, context)

    return run
