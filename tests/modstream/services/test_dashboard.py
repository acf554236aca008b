"""The service of the dashboard: who may see it, and what its actions do on real servers."""

import socket
from threading import Event
from time import time

import httpx
import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.errors import NotJson, RecordTooLarge
from modstream.broker.wire.codec import decode
from modstream.broker.wire.dead_letters import build_dead_letter
from modstream.broker.wire.model_contracts import ModelEvent
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header
from modstream.dashboard.web.context import LetterOrder, Order
from modstream.dashboard.web.errors import ActionFailed
from modstream.dashboard.web.operators import Operators
from modstream.dashboard_settings import DashboardSettings
from modstream.errors import InvalidSettings
from modstream.process.background import BackgroundThread
from modstream.registry.access import open_registry
from modstream.services.dashboard import check_exposure, needs_key, open_server, run_dashboard
from modstream.services.letter_actions import RedriveActions
from modstream.services.model_actions import RegistryActions
from tests.modstream.dashboard.web.dashboards import Dashboard, KeyList
from tests.modstream.dashboard.web.views_of_state import StateOfViews
from tests.modstream.services.candidate_registry import load_test_settings, publish_onnx

EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing listens there


@pytest.fixture
def settings(bootstrap, redis_url, prefix, tmp_path):
    found = load_test_settings(bootstrap, redis_url, prefix, tmp_path)
    Admin(found.connection).create(found.topic_specs())
    return found.model_copy(update={"dashboard": DashboardSettings(port=0)})


def operators_with(*scopes):
    keys = KeyList()
    if scopes:
        keys.create(*scopes)
    operators = Operators(keys, "flights")
    operators.refresh()
    return operators


def test_pages_need_a_key_on_other_than_loopback_addresses():
    assert not needs_key(DashboardSettings())
    assert needs_key(DashboardSettings(require_key=True))
    assert needs_key(DashboardSettings(host=EVERYWHERE))


@pytest.mark.parametrize("scopes", [(), ("predict:flights",), ("read:other",)])
def test_without_a_key_that_permits_pages_an_open_address_is_refused(scopes):
    with pytest.raises(InvalidSettings, match="modstream keys create NAME --scope read:flights"):
        check_exposure(DashboardSettings(host=EVERYWHERE), operators_with(*scopes), "flights")


def test_with_a_key_an_open_address_is_accepted():
    for scope in ("read:flights", "manage:*"):
        check_exposure(DashboardSettings(host=EVERYWHERE), operators_with(scope), "flights")


def test_an_address_that_is_taken_is_named_with_its_settings():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        board = Dashboard.of(StateOfViews(), port=taken.getsockname()[1])
        with pytest.raises(InvalidSettings, match=r"dashboard.host, dashboard.port"):
            open_server(board.context)


@pytest.mark.real
def test_an_action_moves_the_alias_and_records_reason_and_user(settings):
    with open_registry(settings) as registry:
        publish_onnx(registry, "champion", 0.2)
        publish_onnx(registry, "champion", 0.8)
        actions = RegistryActions(settings, registry)
        assert actions.aliases("m") == {"champion": 2}
        assert actions.rollback_target("m", "champion") == 1

        back = actions.roll_back(Order("m", "champion", 2, "too slow", "alice"))
        with pytest.raises(ActionFailed, match="champion"):
            actions.promote(Order("m", "champion", 2, "stale", "bob"), 2)
        forth = actions.promote(Order("m", "champion", 1, "it was the network", "bob"), 2)

        assert (back, forth) == (
            "champion of m is version 1 again",
            "champion of m is version 2 now",
        )
        moves = [(move.action, move.new, move.reason, move.user) for move in registry.history("m")]
        assert moves[2:] == [
            ("rollback", 1, "too slow", "alice"),
            ("promote", 2, "it was the network", "bob"),
        ]
    records = read_to_end(settings.connection, [settings.topics().model_events])
    events = [decode(ModelEvent, record.value) for record in records]
    assert ("promote", "it was the network", "bob") in [
        (event.action, event.reason, event.user) for event in events
    ]


@pytest.mark.real
def test_a_redrive_sends_each_letter_once_with_who_and_why(settings):
    topics = settings.topics()
    with Publisher(settings.connection) as publisher:
        for number in range(3):
            request = Record(topics.requests, 0, number, b"k", b"no json", (), int(time() * 1000))
            cause = NotJson("no") if number else RecordTooLarge(9, 1)
            letter = build_dead_letter(request, topics.dlq, cause, "VALUE_CONVERTER")
            publisher.send(letter)
        publisher.flush()
    actions, order = RedriveActions(settings), LetterOrder("redrive", "not_json", "mended", "alice")
    assert actions.count("redrive", "not_json")["due"] == 2

    first, second = actions.send_back(order), actions.send_back(order)

    assert (first, second) == (
        "2 sent back, by alice: mended",
        "0 sent back, by alice: mended",
    )
    assert actions.count("redrive", "not_json")["redriven"] == 2
    records = list(read_to_end(settings.connection, [topics.requests]))
    assert len(records) == 2
    assert {record.header(Header.SENT_BACK_BY) for record in records} == {b"alice"}
    assert {record.header(Header.SENT_BACK_REASON) for record in records} == {b"mended"}
    assert actions.count("release", "outlier")["due"] == 0


@pytest.mark.real
def test_the_service_serves_a_real_stream_and_ends_with_an_open_page(settings):
    stop, ready, urls = Event(), Event(), []

    def on_ready(url):
        urls.append(url)
        ready.set()

    thread = BackgroundThread("dashboard", lambda _: run_dashboard(settings, stop, on_ready))
    with open_registry(settings) as registry:
        publish_onnx(registry, "champion", 0.2)
    thread.start()
    try:
        assert ready.wait(20)
        assert "Stream s" in httpx.get(urls[0]).text
        with httpx.stream("GET", f"{urls[0]}/live/models") as page:
            assert next(page.iter_lines()).startswith("retry:")
            stop.set()
            thread.join(8)
    finally:
        stop.set()
        thread.join(8)
    thread.raise_if_failed()
    with pytest.raises(httpx.ConnectError):
        httpx.get(urls[0])
