"""The front of the HTTP application: calls for predictions go past the framework's routing.

Routing and middlewares take longer than everything else that a call for a prediction needs.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from modstream.producers.gateway.context import GatewayContext
from modstream.producers.gateway.http.context import GATEWAY

Endpoint = Callable[[Request], Awaitable[Response]]


class PredictionPath(NamedTuple):
    """A path of predictions: its endpoint's name, and the parameters that the path has."""

    endpoint: str
    parameters: Mapping[str, str]


INFER, PREDICT = "infer", "predict"


def read_path(path: str) -> PredictionPath | None:
    """Return what a path of predictions asks for, None for any other path."""
    match path.split("/"):
        case ["", "v2", "models", model, "infer"] if model:
            return PredictionPath(INFER, {"model": model})
        case ["", "v2", "models", model, "versions", version, "infer"] if model and version:
            return PredictionPath(INFER, {"model": model, "version": version})
        case ["", "v1", "streams", stream, "predict"] if stream:
            return PredictionPath(PREDICT, {"stream": stream})
    return None


class Front:
    """An ASGI application before another one, which answers all calls but those of predictions."""

    def __init__(
        self, app: ASGIApp, context: GatewayContext, endpoints: Mapping[str, Endpoint]
    ) -> None:
        """Prepare; `endpoints` are those of INFER and PREDICT, and answer every error."""
        self._app, self._context, self._endpoints = app, context, endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call."""
        scope[GATEWAY] = self._context
        found = None
        if scope["type"] == "http" and scope["method"] == "POST":
            found = read_path(scope["path"])
        if found is None:
            await self._app(scope, receive, send)
            return
        scope["path_params"] = found.parameters
        response = await self._endpoints[found.endpoint](Request(scope, receive, send))
        await response(scope, receive, send)
