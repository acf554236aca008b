"""Signing in with an API key, and out again."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from modstream.dashboard.web.context import COOKIE, context_of, session_of
from modstream.dashboard.web.errors import CrossSiteRequest, SignInRefused
from modstream.dashboard.web.guard import check_origin, read_form
from modstream.dashboard.web.pages import SEE_OTHER, local_path, respond, set_session
from modstream.dashboard.web.views import View
from modstream.producers.gateway.security.errors import KeysUnreadable


async def sign_in_page(request: Request) -> Response:
    """Return the form that asks for a key."""
    return await sign_in_form(request, local_path(request.query_params.get("next", "/")))


async def sign_in(request: Request) -> Response:
    """Check the key of the form; go on with the page that the browser wanted."""
    context = context_of(request)
    form = await checked_form(request)
    wanted = local_path(form.get("next", "/"))
    try:
        key = await run_in_threadpool(context.operators.sign_in, form.get("key", "").strip())
    except (SignInRefused, KeysUnreadable) as error:
        return await sign_in_form(request, wanted, str(error), status=403)
    response = RedirectResponse(wanted, SEE_OTHER)
    set_session(response, context, context.sessions.start(key.name, key.sha256))
    return response


async def sign_out(request: Request) -> Response:
    """End the session of the browser."""
    await checked_form(request)
    response = RedirectResponse("/", SEE_OTHER)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


async def sign_in_form(
    request: Request, wanted: str, problem: str = "", *, status: int = 200
) -> Response:
    """Return the form, with a session that its token is bound to."""
    session = session_of(request) or context_of(request).sessions.start()
    view = View("views/sign_in.html", "", "Sign in", "", {})
    values = {"next": wanted, "problem": problem}
    return await respond(request, view, values, status=status, session=session)


async def checked_form(request: Request) -> dict[str, str]:
    """Return the fields of a form that a page of this dashboard has sent from this session.

    Raises:
        CrossSiteRequest: it comes from elsewhere, or from another session.
        PageError: it is no form of the dashboard.
    """
    context = context_of(request)
    check_origin(request, context.settings.origin)
    form = await read_form(request)
    session = session_of(request)
    if session is None or not context.sessions.is_csrf_token(session, form.get("csrf", "")):
        raise CrossSiteRequest("the session of this form has ended; load the page again")
    return form
