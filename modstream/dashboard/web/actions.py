"""Promotion and rollback: a page that names the evidence and asks for the reason, and the act."""

from typing import Any
from urllib.parse import quote

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from modstream.dashboard.snapshots import ModelView, VersionView
from modstream.dashboard.web.context import Order, check_may_see, context_of, session_of
from modstream.dashboard.web.errors import (
    ActionFailed,
    NoSuchPage,
    NotPermitted,
    PageError,
    ReadOnly,
    SignInNeeded,
)
from modstream.dashboard.web.operators import Right
from modstream.dashboard.web.pages import SEE_OTHER, respond, with_notice
from modstream.dashboard.web.sign_in import checked_form
from modstream.dashboard.web.views import View, compared_metrics, newest
from modstream.models.registry.refs import CHAMPION
from modstream.producers.gateway.security.errors import KeysUnreadable

MIN_REASON, MAX_REASON = 3, 500
MAX_DIGITS = 15


async def promote_page(request: Request) -> Response:
    """Return the page that confirms a promotion."""
    return await confirmation(request, "promote", _number(request.query_params.get("version", "")))


async def rollback_page(request: Request) -> Response:
    """Return the page that confirms a rollback."""
    return await confirmation(request, "rollback", None)


async def confirmation(
    request: Request, action: str, version: int | None, problem: str = "", reason: str = ""
) -> Response:
    """Return the page that names the evidence for an action and asks for the reason.

    Raises:
        ReadOnly, SignInNeeded, NotPermitted: the browser may not do this.
        NoSuchPage: there is no such model or version.
        ActionFailed: the registry does not respond, or there is nothing to roll back to.
    """
    check_may_see(request)
    context, name = context_of(request), request.path_params["model"]
    alias = request.query_params.get("alias", CHAMPION)[:100]
    await check_may_manage(request)
    model = await run_in_threadpool(context.state.model_view, name)
    aliases = await run_in_threadpool(context.actions.aliases, name)
    if model is None or (not aliases and not model.is_in_registry):
        raise NoSuchPage(f"the registry has no model {name[:100]!r}")
    current = aliases.get(alias, 0)
    if action == "rollback":
        version = await run_in_threadpool(context.actions.rollback_target, name, alias)
        if version is None:
            raise ActionFailed(f"{alias} of {name} has no earlier version to go back to")
    chosen = [_find(model, current), _find(model, version)]
    sides = [one for one in chosen if one is not None]
    values: dict[str, Any] = {
        "model": model,
        "alias": alias,
        "action": action,
        "current": current,
        "target": version,
        "current_view": chosen[0],
        "target_view": chosen[1],
        "metrics": compared_metrics(model, sides),
        "figures": {one.version: newest(one) for one in sides},
        "decision": next((one for one in model.timeline if one.evidence), None),
        "problem": problem,
        "reason": reason,
        "min_reason": MIN_REASON,
        "max_reason": MAX_REASON,
    }
    title = f"{'Promote' if action == 'promote' else 'Roll back'} {name}"
    view = View("views/confirm.html", "models", title, "", values)
    return await respond(request, view, values, status=422 if problem else 200)


async def promote(request: Request) -> Response:
    """Promote the version that the form names."""
    form = await checked_form(request)
    return await carry_out(request, "promote", form)


async def roll_back(request: Request) -> Response:
    """Roll back the alias that the form names."""
    form = await checked_form(request)
    return await carry_out(request, "rollback", form)


async def carry_out(request: Request, action: str, form: dict[str, str]) -> Response:
    """Carry out what a person has confirmed, and go back to the page of the model.

    Raises:
        ReadOnly, SignInNeeded, NotPermitted: the browser may not do this.
        ActionFailed: nothing was changed, or the event could not be sent.
    """
    user = await check_may_manage(request)
    context, name = context_of(request), request.path_params["model"]
    reason, problem = read_reason(form)
    version = _number(form.get("version", ""))
    if problem:
        return await confirmation(request, action, version, problem, reason)
    order = Order(
        model=name,
        alias=form.get("alias", CHAMPION)[:100],
        expected=_number(form.get("expected", "")),
        reason=reason,
        user=user,
    )
    if version == order.expected:
        raise ActionFailed(f"{order.alias} of {name} points at version {version} already")
    if action == "promote":
        done = await run_in_threadpool(context.actions.promote, order, version)
    else:
        done = await run_in_threadpool(context.actions.roll_back, order)
    structlog.get_logger(__name__).info(
        "alias moved", model=name, alias=order.alias, action=action, user=user, reason=reason
    )
    notice = context.sessions.to_notice(done)
    return RedirectResponse(with_notice(f"/models/{quote(name)}", notice), SEE_OTHER)


def read_reason(form: dict[str, str]) -> tuple[str, str]:
    """Return the reason in a form, and what is wrong with it; empty if nothing is."""
    reason = " ".join(form.get("reason", "").split())
    if MIN_REASON <= len(reason) <= MAX_REASON:
        return reason, ""
    return reason[:MAX_REASON], f"a reason has {MIN_REASON} to {MAX_REASON} characters"


async def check_may_manage(request: Request) -> str:
    """Return the name of the key that permits actions, as the store of the keys has it now.

    Raises:
        ReadOnly: no key permits any.
        SignInNeeded: the browser has not sent a key.
        NotPermitted: its key does not permit them, was revoked, or cannot be checked.
    """
    context, session = context_of(request), session_of(request)
    if session is None or not session.is_signed_in:
        if not context.operators.has_managers:
            raise ReadOnly(context.stream)
        raise SignInNeeded("changes need a key")
    try:
        right = await run_in_threadpool(context.operators.right_of, session.key_digest)
    except KeysUnreadable as error:
        raise NotPermitted(f"the key cannot be checked: {error}") from None
    if right is not Right.MANAGE:
        needed = f"manage:{context.stream}"
        raise NotPermitted(f"the key {session.user} does not permit this: it needs {needed}")
    return session.user


def _find(model: ModelView, version: int | None) -> VersionView | None:
    return next((one for one in model.versions if one.version == version), None)


def _number(text: str) -> int:
    """Return a version number.

    Raises:
        PageError: the text is none.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS):
        raise PageError(f"{text[:40]!r} is not the number of a version")
    return int(text)
