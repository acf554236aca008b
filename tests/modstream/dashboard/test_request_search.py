"""The search for a request: bounded in time and number, and silent servers are named."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from time import monotonic

import pytest

from modstream.broker.client import reader
from modstream.broker.client.connection import Connection
from modstream.broker.errors import BrokerUnavailable
from modstream.broker.wire.records import TopicPartition
from modstream.broker.wire.topics import Topics
from modstream.dashboard import request_search
from modstream.dashboard.errors import SearchBusy, SearchFailed
from modstream.dashboard.request_search import MAX_SEARCHES, RequestFinder, TimeIsUp, TimeLimit
from modstream.errors import IdNotFound
from modstream.operations.offset_ranges import read_ranges
from tests.modstream.operations.trace.traces import trace

CONNECTION, TOPICS = Connection("nowhere:1"), Topics("flights")


@pytest.fixture
def find(monkeypatch):
    """Return a function that searches with a stand-in for the search of the topics."""

    def use(find_story):
        class StubSearch:
            def __init__(self, _connection, _topics, notice, _versions):
                self.find_story = lambda request_id, scope: find_story(request_id, scope, notice)

        monkeypatch.setattr(request_search, "RequestSearch", StubSearch)
        finder = RequestFinder(CONNECTION, TOPICS, None)
        return lambda **options: finder.find(
            "mine", options.get("key"), options.get("timeout", 5.0), with_values=False
        )

    return use


def test_a_found_request_has_its_facts(story, find):
    story.flight("mine")
    search = find(lambda *_: trace(story, "mine"))

    view = search()

    assert (view.id, view.is_found, view.is_complete) == ("mine", True, True)
    assert view.label_status == "joined"
    assert view.remark == ""


def test_the_key_limits_the_search(story, find):
    keys = []

    def find_story(request_id, scope, _notice):
        keys.append(scope.key)
        raise IdNotFound("flights", request_id, "anywhere")

    view = find(find_story)(key="other")

    assert keys == ["other"]
    assert (view.is_found, view.is_complete) == (False, True)
    assert "no record has this id" in view.remark


def test_a_search_ends_at_its_time_limit_and_names_the_command_that_searches_on(find):
    def find_story(_request_id, _scope, notice):
        while True:
            notice("flights.requests", 0, 0)

    view = find(find_story)(timeout=0.05)

    assert (view.is_found, view.is_complete) == (False, False)
    assert "modstream trace mine flights" in view.remark
    assert 0.05 <= view.seconds < 2


def test_a_silent_server_is_named_and_the_next_search_may_begin(find):
    def find_story(*_):
        raise BrokerUnavailable("nowhere:1", "timed out")

    search = find(find_story)

    for _ in range(MAX_SEARCHES + 1):
        with pytest.raises(SearchFailed, match="nowhere:1"):
            search()


def test_no_more_searches_run_at_a_time_than_are_allowed(story, find):
    begun, end = Barrier(MAX_SEARCHES + 1), Event()

    def find_story(*_):
        begun.wait(5)
        end.wait(5)
        return trace(story, "mine")

    story.flight("mine")
    search = find(find_story)
    with ThreadPoolExecutor(MAX_SEARCHES) as threads:
        running = [threads.submit(search) for _ in range(MAX_SEARCHES)]
        begun.wait(5)
        with pytest.raises(SearchBusy):
            search()
        end.set()

    assert all(one.result().is_found for one in running)


def test_the_time_limit_ends_a_read_that_gets_no_records(monkeypatch):
    class SilentReader:
        """A reader of a broker that has gone away."""

        def __init__(self, *_, **__):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def at_end(self):
            return False

        def poll(self, timeout):
            return []

    monkeypatch.setattr(reader, "Reader", SilentReader)
    ranges = {TopicPartition(TOPICS.requests, 0): (0, 10)}

    with pytest.raises(TimeIsUp):
        list(read_ranges(CONNECTION, ranges, TimeLimit(monotonic() + 0.05)))
