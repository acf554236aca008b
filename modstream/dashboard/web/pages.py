"""The pages: each is rendered whole, works without scripts, and may be kept current."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from modstream.dashboard.errors import SearchBusy, SearchFailed
from modstream.dashboard.web.context import (
    COOKIE,
    WebContext,
    check_may_see,
    context_of,
    session_of,
)
from modstream.dashboard.web.feed import HEADERS
from modstream.dashboard.web.sessions import SESSION_SECONDS, Session
from modstream.dashboard.web.tables import Address, page_of
from modstream.dashboard.web.views import View, ViewBuilder

Endpoint = Callable[[Request], Awaitable[Response]]
NO_STORE = {"Cache-Control": "no-store"}
SEE_OTHER = 303
THEME_COOKIE = "modstream_theme"
THEMES = ("light", "dark")
YEAR_SECONDS = 365 * 24 * 3600
MAX_PATH_LENGTH = 2000
MAX_ID_LENGTH = 1024
MAX_PARAMETERS = 10
MAX_VALUE_LENGTH = 300
"""Bounds of a page's query; what is longer is left out of the links."""


def live_page(build: ViewBuilder) -> Endpoint:
    """Return the endpoint of a page that is kept current."""

    async def page(request: Request) -> Response:
        check_may_see(request)
        context, address = context_of(request), address_of(request)
        view = await run_in_threadpool(build, context.state, address, request.path_params)
        # The stream has the path of the page, so that a browser's session may be restricted to it.
        feed = f"/live{address}"
        values = {**view.values, "address": address, "feed": feed}
        return await respond(request, view, values)

    return page


def live_events(build: ViewBuilder) -> Endpoint:
    """Return the endpoint of the events that keep a page current."""

    async def events(request: Request) -> Response:
        check_may_see(request)
        context, address = context_of(request), address_of(request, "/live")
        context.feed.check_room()
        render = partial(render_view, context, build, address, dict(request.path_params))
        return StreamingResponse(
            context.feed.events(str(address), render),
            media_type="text/event-stream",
            headers=HEADERS,
        )

    return events


def render_view(
    context: WebContext, build: ViewBuilder, address: Address, path: Mapping[str, str]
) -> str:
    """Return the contents of a page without its frame."""
    view = build(context.state, address, path)
    values = {**view.values, "address": address, "summary": view.summary}
    return context.renderer.render(view.template, values)


async def request_page(request: Request) -> Response:
    """Return the page of one request: a form, and the history of the request it names."""
    check_may_see(request)
    address = address_of(request)
    asked = request.query_params.get("id", "").strip()[:MAX_ID_LENGTH]
    key = request.query_params.get("key", "").strip()[:MAX_ID_LENGTH] or None
    with_values = request.query_params.get("values") == "shown"
    values: dict[str, Any] = {
        "asked": asked,
        "key": key,
        "with_values": with_values,
        "found": None,
        "facts": None,
        "failure": "",
    }
    if asked:
        search = partial(
            context_of(request).state.request_view, asked, key=key, with_values=with_values
        )
        try:
            found = await run_in_threadpool(search)
            values |= {"found": found, "facts": page_of(found.facts, address.query)}
        except (SearchBusy, SearchFailed) as error:
            values["failure"] = str(error)
    title = f"Request {asked[:40]}" if asked else "Requests"
    view = View("views/request.html", "requests", title, "", values)
    return await respond(request, view, {**values, "address": address, "feed": ""})


async def respond(
    request: Request,
    view: View,
    values: Mapping[str, Any],
    *,
    status: int = 200,
    session: Session | None = None,
) -> Response:
    """Return a view in the frame of the dashboard.

    Args:
        request: the request that is answered.
        view: names the page.
        values: the values of the view's template.
        status: the status of HTTP.
        session: a new session that the browser gets with the page; None keeps its own.
    """
    context = context_of(request)
    known = session or session_of(request)
    frame = {
        "template": view.template,
        "section": view.section,
        "title": view.title,
        "summary": view.summary,
        "is_read_only": not context.operators.has_managers,
        "user": known.user if known is not None and known.is_signed_in else "",
        "csrf": context.sessions.csrf_token(known) if known is not None else "",
        "theme": theme_of(request),
        "notice": context.sessions.from_notice(request.query_params.get("notice", "")),
    }
    values = {"feed": "", "address": None, **values, **frame}
    html = await run_in_threadpool(context.renderer.render, "page.html", values)
    response = HTMLResponse(html, status, headers=NO_STORE)
    if session is not None:
        set_session(response, context, session)
    return response


def theme_of(request: Request) -> str:
    """Return the theme that a browser has chosen, empty for that of its system."""
    theme = request.cookies.get(THEME_COOKIE, "")
    return theme if theme in THEMES else ""


async def choose_theme(request: Request) -> Response:
    """Remember the theme of a browser, and go back to its page."""
    theme = request.query_params.get("to", "")
    response = RedirectResponse(local_path(request.query_params.get("next", "/")), SEE_OTHER)
    if theme in THEMES:
        response.set_cookie(THEME_COOKIE, theme, max_age=YEAR_SECONDS, samesite="lax")
    else:
        response.delete_cookie(THEME_COOKIE, samesite="lax")
    return response


def set_session(response: Response, context: WebContext, session: Session) -> None:
    """Give the browser a session."""
    response.set_cookie(
        COOKIE,
        context.sessions.to_cookie(session),
        max_age=SESSION_SECONDS,
        secure=context.has_secure_cookies,
        httponly=True,
        samesite="strict",
    )


def address_of(request: Request, prefix: str = "") -> Address:
    """Return the address of a request's page, without a prefix and without a notice."""
    pairs = list(request.query_params.items())[:MAX_PARAMETERS]
    query = {
        name: value
        for name, value in pairs
        if name != "notice" and len(name) + len(value) <= MAX_VALUE_LENGTH
    }
    return Address(request.url.path.removeprefix(prefix) or "/", query)


def local_path(text: str) -> str:
    """Return a path of this dashboard; that of the first page if the text is no such path."""
    is_local = text.startswith("/") and not text.startswith("//") and text.isascii()
    is_plain = is_local and text.isprintable() and "\\" not in text
    return text if is_plain and len(text) <= MAX_PATH_LENGTH else "/"


def with_notice(address: str, notice: str) -> str:
    """Return the address of a page that shows a signed notice."""
    return f"{address}?{urlencode({'notice': notice})}"
