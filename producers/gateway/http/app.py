"""The HTTP application: its routes, and the one place where errors become responses."""

from collections.abc import Awaitable, Callable, Sequence

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from modstream.producers.gateway.context import GatewayContext
from modstream.producers.gateway.errors import GatewayError
from modstream.producers.gateway.http import infer_routes, stream_routes, ticket_routes
from modstream.producers.gateway.http.answers import (
    error_response,
    late_response,
    refusal_response,
)
from modstream.producers.gateway.http.event_calls import answering_events
from modstream.producers.gateway.http.front import INFER, PREDICT, Front
from modstream.producers.gateway.http.openapi import asyncapi, openapi
from modstream.producers.gateway.protocol.errors import ProtocolError
from modstream.producers.gateway.tickets import AnswerLate

Endpoint = Callable[[Request], Awaitable[Response]]
MODEL = "/v2/models/{model}"
VERSION = "/v2/models/{model}/versions/{version}"

ROUTES: Sequence[tuple[str, str, Endpoint]] = (
    ("POST", f"{MODEL}/infer", infer_routes.infer),
    ("POST", f"{VERSION}/infer", infer_routes.infer),
    ("POST", "/v1/streams/{stream}/predict", stream_routes.predict),
    ("POST", "/v1/streams/{stream}/labels", stream_routes.label),
    ("GET", "/v1/predictions/{model}/{key:path}", stream_routes.stored_prediction),
    ("GET", "/v2/requests/{ticket}", ticket_routes.redeem),
    ("GET", "/v2/requests/{ticket}/events", ticket_routes.events),
    ("GET", "/v2/health/live", infer_routes.live),
    ("GET", "/v2/health/ready", infer_routes.ready),
    ("GET", "/v2", infer_routes.server),
    ("GET", "/v2/", infer_routes.server),
    ("GET", "/v2/models/stats", infer_routes.statistics),
    ("GET", MODEL, infer_routes.model),
    ("GET", VERSION, infer_routes.model),
    ("GET", f"{MODEL}/ready", infer_routes.model_ready),
    ("GET", f"{VERSION}/ready", infer_routes.model_ready),
    ("GET", f"{MODEL}/config", infer_routes.config),
    ("GET", f"{VERSION}/config", infer_routes.config),
    ("GET", f"{MODEL}/stats", infer_routes.statistics),
    ("GET", f"{VERSION}/stats", infer_routes.statistics),
    ("POST", "/v2/repository/index", infer_routes.index),
    ("POST", "/v2/repository/models/{model}/load", infer_routes.load_or_unload),
    ("POST", "/v2/repository/models/{model}/unload", infer_routes.load_or_unload),
    ("GET", "/openapi.json", openapi),
    ("GET", "/asyncapi.json", asyncapi),
)
"""Method, path and endpoint of every route; the first that matches answers."""


def gateway_app(context: GatewayContext) -> ASGIApp:
    """Return the HTTP application of a gateway."""
    app = Starlette(
        routes=[Route(path, answered(run), methods=[method]) for method, path, run in ROUTES],
        exception_handlers={HTTPException: http_error},
    )
    app.router.redirect_slashes = False
    endpoints = {
        INFER: answered(infer_routes.infer),
        PREDICT: answering_events(answered(stream_routes.predict)),
    }
    return Front(app, context, endpoints)


def answered(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint that answers every error, so that the connection stays usable."""

    async def run(request: Request) -> Response:
        try:
            return await endpoint(request)
        except AnswerLate as error:
            return late_response(error.ticket, str(error))
        except GatewayError as error:
            return refusal_response(error)
        except ProtocolError as error:
            return error_response(error.status, "invalid_call", str(error))
        except Exception as error:  # noqa: BLE001 - an unforeseen error is answered and logged
            structlog.get_logger(__name__).exception("call failed", path=request.url.path)
            kind = type(error).__name__
            return error_response(500, "internal_error", f"the gateway failed: {kind}; see its log")

    return run


async def http_error(_: Request, error: Exception) -> Response:
    """Return the response for an unknown path or a method that a path does not have."""
    if not isinstance(error, HTTPException):
        raise error
    texts = {404: "there is nothing at this path", 405: "this path does not have this method"}
    codes = {404: "not_found", 405: "method_not_allowed"}
    status = error.status_code
    message, code = texts.get(status, str(error.detail)), codes.get(status, "invalid_call")
    return error_response(status, code, message, headers=error.headers)
