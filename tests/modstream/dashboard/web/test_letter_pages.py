"""Redrive and release: who may, what is shown before, and what is ordered."""

import pytest

from tests.modstream.dashboard.web.dashboards import Dashboard, csrf_of, post
from tests.modstream.dashboard.web.views_of_state import StateOfViews

ACTIONS = ("redrive", "release")
FIELDS = {"cause": "not_json", "reason": "the sender is mended"}


@pytest.fixture
def board():
    return Dashboard.of(StateOfViews())


@pytest.fixture
def manager(board):
    return board.signed_in("manage:flights")


@pytest.mark.parametrize("action", ACTIONS)
def test_the_records_are_counted_before_and_sent_with_reason_and_user(board, manager, action):
    form = manager.get(f"/labels/{action}?cause=not_json")
    assert "Send 3 back" in form.text
    assert "recorded in each record with your name, alice" in form.text
    assert not board.letters.orders

    answer = post(manager, f"/labels/{action}", csrf_of(form), **FIELDS)

    assert answer.status_code == 303
    (order,) = board.letters.orders
    assert (order.action, order.cause) == (action, "not_json")
    assert (order.reason, order.user) == ("the sender is mended", "alice")
    shown = manager.get(answer.headers["location"]).text
    assert "3 sent back, by alice: the sender is mended" in shown


def test_the_page_of_labels_leads_to_both(manager):
    text = manager.get("/labels").text

    assert 'href="/labels/redrive?cause=' in text
    assert 'href="/labels/release?cause=' in text


def test_where_nothing_is_due_nothing_can_be_sent(board, manager):
    board.letters.due = 0

    text = manager.get("/labels/redrive?cause=not_json").text

    assert "There is nothing to send back" in text
    assert "<textarea" not in text


def test_a_cause_that_no_record_has_is_no_page(manager):
    answer = manager.get("/labels/redrive?cause=unknown")

    assert answer.status_code == 404
    assert "no record was set aside with the cause" in answer.text


@pytest.mark.parametrize("reason", ["", "  x ", "x" * 501])
def test_a_reason_is_needed(board, manager, reason):
    csrf = csrf_of(manager.get("/labels/redrive?cause=not_json"))

    answer = post(manager, "/labels/redrive", csrf, cause="not_json", reason=reason)

    assert answer.status_code == 422
    assert "a reason has 3 to 500 characters" in answer.text
    assert not board.letters.orders


def test_a_failure_is_shown(board, manager):
    csrf = csrf_of(manager.get("/labels/redrive?cause=not_json"))
    board.letters.failure = "Kafka does not respond"

    answer = post(manager, "/labels/redrive", csrf, **FIELDS)

    assert answer.status_code >= 400
    assert "Kafka does not respond" in answer.text


@pytest.mark.parametrize("action", ACTIONS)
def test_only_a_key_that_may_manage_sends_back(board, action):
    path = f"/labels/{action}"
    stranger = board.browser()
    csrf = csrf_of(stranger.get("/sign-in"))
    assert "no key permits changes here" in stranger.get(f"{path}?cause=not_json").text
    assert post(stranger, path, csrf, **FIELDS).status_code == 403

    board.keys.create("manage:flights", name="bob")
    reader = board.signed_in("read:flights")
    csrf = csrf_of(reader.get("/"))
    assert "it needs manage:flights" in reader.get(f"{path}?cause=not_json").text
    assert post(reader, path, csrf, **FIELDS).status_code == 403

    assert not board.letters.orders


def test_a_form_without_its_token_is_refused(board, manager):
    assert post(manager, "/labels/redrive", "00" * 32, **FIELDS).status_code == 403
    assert not board.letters.orders
