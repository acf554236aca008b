"""Promotion and rollback: who may, what is refused, and what is recorded."""

import pytest

from modstream.dashboard.web.guard import allowed_hosts
from modstream.dashboard.web.sessions import Sessions
from modstream.producers.gateway.security.errors import KeysUnreadable
from tests.modstream.dashboard.web.dashboards import ORIGIN, Dashboard, csrf_of, post
from tests.modstream.dashboard.web.views_of_state import StateOfViews

PROMOTE, ROLLBACK = "/models/online/promote", "/models/online/rollback"
FIELDS = {"version": "13", "expected": "12", "alias": "champion", "reason": "better on Mondays"}


@pytest.fixture
def board():
    return Dashboard.of(StateOfViews())


@pytest.fixture
def manager(board):
    return board.signed_in("manage:flights")


def test_the_confirmation_names_the_evidence(board, manager):
    text = manager.get(f"{PROMOTE}?version=13").text

    assert "version 12" in text
    assert "version 13" in text
    assert "2,000" in text
    assert "The gate's last decision" in text
    assert "recorded in the history with your name, alice" in text
    unmeasured = manager.get(f"{PROMOTE}?version=3").text
    assert "there is no evidence that it is better" in unmeasured
    assert not board.actions.orders


def test_a_promotion_is_carried_out_with_its_reason_and_its_user(board, manager):
    csrf = csrf_of(manager.get(f"{PROMOTE}?version=13"))

    answer = post(manager, PROMOTE, csrf, **FIELDS)

    assert answer.status_code == 303
    [(order, version)] = board.actions.orders
    assert (order.model, order.alias, order.expected, version) == ("online", "champion", 12, 13)
    assert (order.reason, order.user) == ("better on Mondays", "alice")
    shown = manager.get(answer.headers["location"])
    assert "champion of online is version 13 now" in shown.text


def test_a_rollback_says_where_it_leads(board, manager):
    form = manager.get(ROLLBACK)
    assert "Roll back to version 11" in form.text

    answer = post(manager, ROLLBACK, csrf_of(form), **{**FIELDS, "version": "11"})

    assert answer.status_code == 303
    assert board.actions.orders[0][1] == 11
    board.actions.target = None
    assert "no earlier version" in manager.get(ROLLBACK).text


@pytest.mark.parametrize(
    ("origin", "token"),
    [
        ("http://evil.example", None),
        ("null", None),
        ("", None),
        ("http://127.0.0.1:9", None),
        (ORIGIN, ""),
        (ORIGIN, "00" * 32),
        (ORIGIN, "\udcff"),
    ],
)
def test_a_form_from_elsewhere_is_refused(board, manager, origin, token):
    csrf = csrf_of(manager.get(f"{PROMOTE}?version=13"))
    sent = csrf if token is None else token.encode("utf-8", "surrogateescape").decode("latin-1")

    answer = post(manager, PROMOTE, sent, origin=origin, **FIELDS)

    assert answer.status_code == 403
    assert not board.actions.orders


def test_the_token_of_another_session_is_refused(board, manager):
    other = csrf_of(board.browser().get("/sign-in"))

    assert post(manager, PROMOTE, other, **FIELDS).status_code == 403
    assert not board.actions.orders


def test_without_any_key_the_dashboard_is_read_only(board):
    client = board.browser()
    csrf = csrf_of(client.get("/sign-in"))

    assert "no key permits changes here" in client.get(f"{PROMOTE}?version=13").text
    answer = post(client, PROMOTE, csrf, **FIELDS)

    assert answer.status_code == 403
    assert "read-only" in client.get("/").text
    assert not board.actions.orders


def test_a_browser_without_a_key_is_asked_for_one(board):
    board.keys.create("manage:flights")
    board.context.operators.refresh()
    client = board.browser()

    answer = client.get(f"{PROMOTE}?version=13")

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=%2Fmodels%2Fonline%2Fpromote")
    assert post(client, PROMOTE, csrf_of(client.get("/sign-in")), **FIELDS).status_code == 401
    assert not board.actions.orders


def test_a_key_that_may_only_read_is_refused(board):
    board.keys.create("manage:flights", name="bob")
    client = board.signed_in("read:flights")
    csrf = csrf_of(client.get("/"))

    assert "it needs manage:flights" in client.get(f"{PROMOTE}?version=13").text
    assert post(client, PROMOTE, csrf, **FIELDS).status_code == 403
    assert not board.actions.orders


def test_a_revoked_key_and_unreadable_keys_are_refused_at_once(board, manager):
    csrf = csrf_of(manager.get(f"{PROMOTE}?version=13"))
    board.keys.failure = KeysUnreadable("Redis does not respond", "refused")
    assert post(manager, PROMOTE, csrf, **FIELDS).status_code == 403
    board.keys.failure = None
    board.keys.keys.clear()

    assert post(manager, PROMOTE, csrf, **FIELDS).status_code == 403
    assert not board.actions.orders


@pytest.mark.parametrize("reason", ["", "  x ", "x" * 501])
def test_a_reason_is_needed(board, manager, reason):
    csrf = csrf_of(manager.get(f"{PROMOTE}?version=13"))

    answer = post(manager, PROMOTE, csrf, **{**FIELDS, "reason": reason})

    assert answer.status_code == 422
    assert "a reason has 3 to 500 characters" in answer.text
    assert not board.actions.orders


def test_what_the_registry_refuses_is_shown(board, manager):
    csrf = csrf_of(manager.get(f"{PROMOTE}?version=13"))
    board.actions.failure = "champion points at version 14 now"

    answer = post(manager, PROMOTE, csrf, **FIELDS)

    assert answer.status_code == 409
    assert "champion points at version 14 now" in answer.text


def test_a_promotion_that_would_change_nothing_is_refused(board, manager):
    csrf = csrf_of(manager.get(f"{PROMOTE}?version=12"))

    answer = post(manager, PROMOTE, csrf, **{**FIELDS, "version": "12"})

    assert answer.status_code == 409
    assert "points at version 12 already" in answer.text
    assert not board.actions.orders


@pytest.mark.parametrize("field", ["version", "expected"])
@pytest.mark.parametrize("value", ["", "-1", "1e3", "\u0661", "9" * 40])
def test_a_strange_number_is_refused(board, manager, field, value):
    csrf = csrf_of(manager.get(f"{PROMOTE}?version=13"))

    assert post(manager, PROMOTE, csrf, **{**FIELDS, field: value}).status_code == 400
    assert not board.actions.orders


def test_forms_of_other_kinds_and_sizes_are_refused(manager):
    headers = {"Origin": ORIGIN}

    assert manager.post(PROMOTE, json={"csrf": "x"}, headers=headers).status_code == 400
    big = {"csrf": "x", "reason": "y" * 20_000}
    assert manager.post(PROMOTE, data=big, headers=headers).status_code == 400
    many = {f"f{i}": "" for i in range(30)}
    assert manager.post(PROMOTE, data=many, headers=headers).status_code == 400


def test_the_cookie_of_a_session_is_strict_and_cannot_be_changed(board, manager):
    cookie = board.browser().get("/sign-in").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    value = manager.cookies["modstream_session"]
    for changed in (value[:-2] + "AA", "e30.e30", "x", "." * 3000, ""):
        client = board.browser()
        client.cookies.set("modstream_session", changed)
        assert "Sign out" not in client.get("/").text


def test_a_secure_cookie_behind_tls():
    board = Dashboard.of(StateOfViews(), origin="https://models.example.org")
    client = board.browser()

    assert "Secure" in client.get("/sign-in").headers["set-cookie"]


def test_signing_in_and_out(board):
    client = board.signed_in("manage:*")
    before = client.cookies["modstream_session"]
    assert "Sign out" in client.get("/").text

    post(client, "/sign-out", csrf_of(client.get("/")))

    assert "Sign out" not in client.get("/").text
    wrong = post(client, "/sign-in", csrf_of(client.get("/sign-in")), key="modstream_wrong")
    assert wrong.status_code == 403
    assert "unknown" in wrong.text
    assert client.cookies["modstream_session"] != before


def test_keys_that_permit_nothing_here_or_have_ended_are_refused(board):
    for secret in (board.keys.create("predict:flights"), board.keys.create("manage:x", expires=5)):
        client = board.browser()
        answer = post(client, "/sign-in", csrf_of(client.get("/sign-in")), key=secret)
        assert answer.status_code == 403


def test_keys_are_not_tried_fast(board):
    client = board.browser()
    csrf = csrf_of(client.get("/sign-in"))

    texts = [post(client, "/sign-in", csrf, key=f"modstream_{i}").text for i in range(20)]

    assert any("too many keys were tried" in one for one in texts)


def test_where_pages_need_a_key_nothing_is_shown_without_one():
    board = Dashboard.of(StateOfViews(), needs_key=True)
    client = board.browser()

    for path in ("/", "/models", "/models/online", "/labels", "/requests?id=r"):
        assert client.get(path).headers["location"].startswith("/sign-in?")
    assert client.get("/live/").status_code == 401
    reader = board.signed_in("read:flights")
    assert reader.get("/").status_code == 200
    board.keys.keys.clear()
    board.context.operators.refresh()
    assert reader.get("/").status_code == 303


def test_other_host_names_are_refused(board):
    client = board.browser()

    assert client.get("/", headers={"Host": "evil.example"}).status_code == 421
    assert client.get("/", headers={"Host": "localhost:8501"}).status_code == 200
    assert client.get("/", headers={"Host": ""}).status_code == 421
    refused = client.get("/", headers={"Host": "evil.example"})
    assert "content-security-policy" in refused.headers


@pytest.mark.parametrize(
    ("host", "origin", "names"),
    [
        ("127.0.0.1", "", {"localhost", "127.0.0.1", "[::1]"}),
        ("::1", "", {"localhost", "127.0.0.1", "[::1]"}),
        ("0.0.0.0", "", set()),  # noqa: S104
        ("0.0.0.0", "https://m.example.org:444", {"m.example.org"}),  # noqa: S104
        ("10.1.2.3", "", {"localhost", "127.0.0.1", "[::1]", "10.1.2.3"}),
    ],
)
def test_the_host_names_follow_from_the_settings(host, origin, names):
    assert allowed_hosts(host, origin) == names


def test_sessions_and_notices_end():
    now = [1000.0]
    sessions = Sessions(lambda: now[0])
    session = sessions.start("alice", "digest")
    cookie, notice = sessions.to_cookie(session), sessions.to_notice("done")

    assert sessions.from_cookie(cookie) == session
    assert sessions.from_notice(notice) == "done"
    assert sessions.from_cookie(notice) is None
    assert sessions.from_notice(cookie) == ""
    assert Sessions().from_cookie(cookie) is None
    now[0] += 9 * 3600
    assert sessions.from_cookie(cookie) is None
    assert sessions.from_notice(notice) == ""
