"""Redrive and release: a page that says what would be sent back and asks why, and the act."""

from collections.abc import Awaitable, Callable
from functools import partial

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from modstream.dashboard.web.actions import (
    MAX_REASON,
    MIN_REASON,
    check_may_manage,
    read_reason,
)
from modstream.dashboard.web.context import (
    LetterAction,
    LetterOrder,
    check_may_see,
    context_of,
)
from modstream.dashboard.web.errors import NoSuchPage
from modstream.dashboard.web.pages import SEE_OTHER, respond, with_notice
from modstream.dashboard.web.sign_in import checked_form
from modstream.dashboard.web.views import View

MAX_CAUSE = 200
TITLES: dict[LetterAction, str] = {
    "redrive": "Redrive dead letters",
    "release": "Release quarantined rows",
}


def letter_routes() -> list[BaseRoute]:
    """Return the routes of both actions."""
    routes: list[BaseRoute] = []
    for action in TITLES:
        page: Callable[[Request], Awaitable[Response]] = partial(confirmation_page, action)
        act: Callable[[Request], Awaitable[Response]] = partial(send_back, action)
        routes += [
            Route(f"/labels/{action}", page, methods=["GET"]),
            Route(f"/labels/{action}", act, methods=["POST"]),
        ]
    return routes


async def confirmation_page(action: LetterAction, request: Request) -> Response:
    """Return the page that confirms an action on the records with a cause."""
    return await confirmation(request, action, request.query_params.get("cause", ""))


async def confirmation(
    request: Request, action: LetterAction, cause: str, problem: str = "", reason: str = ""
) -> Response:
    """Return the page that says how many records would be sent back, and asks for the reason.

    Raises:
        ReadOnly, SignInNeeded, NotPermitted: the browser may not do this.
        NoSuchPage: there is no record with this cause.
        ActionFailed: Kafka does not respond.
    """
    check_may_see(request)
    await check_may_manage(request)
    context = context_of(request)
    counts = await run_in_threadpool(context.letters.count, action, cause)
    if not any(counts.values()):
        raise NoSuchPage(f"no record was set aside with the cause {cause[:MAX_CAUSE]!r}")
    values = {
        "action": action,
        "cause": cause,
        "counts": counts,
        "problem": problem,
        "reason": reason,
        "min_reason": MIN_REASON,
        "max_reason": MAX_REASON,
    }
    view = View("views/confirm_letters.html", "labels", TITLES[action], "", values)
    return await respond(request, view, values, status=422 if problem else 200)


async def send_back(action: LetterAction, request: Request) -> Response:
    """Send back what a person has confirmed, and go back to the page of the labels.

    Raises:
        ReadOnly, SignInNeeded, NotPermitted: the browser may not do this.
        ActionFailed: not all records could be sent.
    """
    form = await checked_form(request)
    user = await check_may_manage(request)
    context, cause = context_of(request), form.get("cause", "")
    reason, problem = read_reason(form)
    if problem:
        return await confirmation(request, action, cause, problem, reason)
    order = LetterOrder(action, cause, reason, user)
    done = await run_in_threadpool(context.letters.send_back, order)
    structlog.get_logger(__name__).info(
        "records sent back", action=action, cause=cause, user=user, reason=reason
    )
    notice = context.sessions.to_notice(done)
    return RedirectResponse(with_notice("/labels", notice), SEE_OTHER)
