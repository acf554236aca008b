"""The application of the dashboard: its routes, and the one place where errors become pages."""

from collections.abc import Sequence
from urllib.parse import urlencode

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from modstream.dashboard.web import actions, sign_in
from modstream.dashboard.web.context import WebContext
from modstream.dashboard.web.docs import SITE, docs_routes
from modstream.dashboard.web.errors import NoSuchPage, PageError, SignInNeeded
from modstream.dashboard.web.experiment_pages import EXPERIMENT_VIEWS, compare_selected
from modstream.dashboard.web.guard import Guard, allowed_hosts
from modstream.dashboard.web.letter_pages import letter_routes
from modstream.dashboard.web.pages import (
    choose_theme,
    live_events,
    live_page,
    request_page,
    respond,
)
from modstream.dashboard.web.rendering import STATIC
from modstream.dashboard.web.views import LIVE_VIEWS, View

MODEL = "/models/{model}"
CACHE_FOREVER = "public, max-age=31536000, immutable"


class StaticAssets(StaticFiles):
    """The static files; their addresses change with their contents."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, which caches may keep."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = CACHE_FOREVER
        return response


def dashboard_app(context: WebContext) -> ASGIApp:
    """Return the application of a dashboard."""
    settings = context.settings
    app = Starlette(
        routes=dashboard_routes(),
        exception_handlers={
            PageError: page_error,
            HTTPException: http_error,
            Exception: unforeseen_error,
        },
    )
    app.router.redirect_slashes = False
    app.state.context = context
    return Guard(app, allowed_hosts(settings.host, settings.origin))


def dashboard_routes() -> Sequence[BaseRoute]:
    """Return the routes; the first that matches answers."""
    views = {**LIVE_VIEWS, **EXPERIMENT_VIEWS}
    return [
        Route("/experiments/compare", compare_selected),
        *(Route(path, live_page(build)) for path, build in views.items()),
        *(Route(f"/live{path}", live_events(build)) for path, build in views.items()),
        Route("/requests", request_page),
        Route(f"{MODEL}/promote", actions.promote_page),
        Route(f"{MODEL}/promote", actions.promote, methods=["POST"]),
        Route(f"{MODEL}/rollback", actions.rollback_page),
        Route(f"{MODEL}/rollback", actions.roll_back, methods=["POST"]),
        *letter_routes(),
        Route("/sign-in", sign_in.sign_in_page),
        Route("/sign-in", sign_in.sign_in, methods=["POST"]),
        Route("/sign-out", sign_in.sign_out, methods=["POST"]),
        Route("/theme", choose_theme),
        Route("/health", health),
        *docs_routes(SITE),
        Mount("/static", StaticAssets(directory=STATIC), name="static"),
    ]


async def health(_: Request) -> Response:
    """Return that the dashboard answers."""
    return PlainTextResponse("ok\n")


async def page_error(request: Request, error: Exception) -> Response:
    """Return the page of an error; one that needs a key leads to the form for it."""
    if not isinstance(error, PageError):
        raise error
    is_event_stream = request.url.path.startswith("/live")
    if isinstance(error, SignInNeeded) and request.method == "GET" and not is_event_stream:
        wanted = f"{request.url.path}?{request.url.query}".rstrip("?")
        return RedirectResponse(f"/sign-in?{urlencode({'next': wanted})}", 303)
    if is_event_stream:
        return PlainTextResponse(f"{error}\n", error.status, headers={"Retry-After": "30"})
    view = View("views/error.html", "", error.title, "", {})
    return await respond(request, view, {"sentence": str(error)}, status=error.status)


async def http_error(request: Request, error: Exception) -> Response:
    """Return the page for an unknown path or a method that a path does not have."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 404:
        return await page_error(request, NoSuchPage("there is no page at this address"))
    sentence = f"{error.detail}".lower()
    view = View("views/error.html", "", PageError.title, "", {})
    return await respond(request, view, {"sentence": sentence}, status=error.status_code)


async def unforeseen_error(request: Request, error: Exception) -> Response:
    """Return a page for an error that nobody has foreseen; the log has its traceback."""
    structlog.get_logger(__name__).error("page failed", path=request.url.path, exc_info=error)
    text = f"the dashboard failed: {type(error).__name__}; its log says more\n"
    return PlainTextResponse(text, 500)
