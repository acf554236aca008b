"""The feed of open pages: its format, its heartbeat, its bounds, and that renderings are shared."""

import asyncio

import pytest

from modstream.dashboard.web.errors import TooManyPages
from modstream.dashboard.web.feed import LiveFeed, to_event
from tests.modstream.dashboard.web.dashboards import Dashboard
from tests.modstream.dashboard.web.views_of_state import StateOfViews


class Contents:
    """Renders a number that grows with each rendering."""

    def __init__(self):
        self.renderings = 0
        self.failure = None

    def __call__(self):
        self.renderings += 1
        if self.failure:
            raise self.failure
        return f"<p>\n\n{self.renderings}</p>"


async def take(events, count):
    return [await anext(events) for _ in range(count)]


def test_an_event_has_a_data_field_for_each_line():
    assert to_event("<p>\n  a\n\n</p>") == b"data: <p>\ndata:   a\ndata: </p>\n\n"


def test_updates_are_sent_at_most_once_in_the_interval():
    async def run():
        feed, contents = LiveFeed(2, heartbeat=5, min_interval=0.2), Contents()
        events = feed.events("/", contents)
        retry, first = await take(events, 2)
        loop = asyncio.get_running_loop()
        started = loop.time()
        pending = asyncio.ensure_future(anext(events))
        for _ in range(10):
            await asyncio.sleep(0.01)
            feed.notify()
        second = await pending
        return retry, first, second, loop.time() - started, contents.renderings

    retry, first, second, seconds, renderings = asyncio.run(run())

    assert retry.startswith(b"retry: ")
    assert first == b"data: <p>\ndata: 1</p>\n\n"
    assert second == b"data: <p>\ndata: 2</p>\n\n"
    assert seconds >= 0.2
    assert renderings == 2


def test_pages_with_the_same_address_share_their_renderings():
    async def run():
        feed, contents = LiveFeed(10, min_interval=0.0), Contents()
        pages = [feed.events("/", contents) for _ in range(8)]
        await asyncio.gather(*(take(one, 2) for one in pages))
        count = feed.open_pages
        for one in pages:
            await one.aclose()
        return contents.renderings, count, feed.open_pages

    assert asyncio.run(run()) == (1, 8, 0)


def test_a_heartbeat_keeps_a_quiet_page_open():
    async def run():
        feed = LiveFeed(1, heartbeat=0.01, min_interval=0.0)
        return await take(feed.events("/", Contents()), 4)

    assert asyncio.run(run())[2:] == [b": \n\n", b": \n\n"]


def test_updates_that_change_nothing_do_not_suppress_the_heartbeat():
    async def run():
        feed = LiveFeed(1, heartbeat=0.1, min_interval=0.0)
        events = feed.events("/", lambda: "<p>same</p>")
        await take(events, 2)
        pending = asyncio.ensure_future(anext(events))
        for _ in range(40):
            feed.notify()
            await asyncio.sleep(0.01)
        return pending.done() and pending.result()

    assert asyncio.run(run()) == b": \n\n"


def test_a_rendering_that_fails_leaves_the_page_as_it_is():
    async def run():
        feed, contents = LiveFeed(1, heartbeat=0.01, min_interval=0.0), Contents()
        events = feed.events("/", contents)
        await take(events, 2)
        contents.failure = ValueError("x")
        feed.notify()
        return await anext(events)

    assert asyncio.run(run()) == b": \n\n"


def test_the_number_of_open_pages_is_bounded_and_stop_ends_them():
    async def run():
        feed = LiveFeed(1, min_interval=0.0)
        events = feed.events("/", Contents())
        await take(events, 2)
        with pytest.raises(TooManyPages):
            feed.check_room()
        feed.stop()
        return [one async for one in events]

    assert asyncio.run(run()) == []


def test_the_events_of_a_page_have_its_contents():
    state = StateOfViews()
    board = Dashboard.of(state)
    client = board.browser()
    assert 'hx-sse:connect="/live/?window=3600"' in client.get("/?window=3600").text
    board.context.feed.stop()

    response = client.get("/live/?window=3600")

    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers["cache-control"] == "no-store"
    assert response.text.startswith("retry: ")


def test_too_many_pages_are_refused_with_a_sentence():
    board = Dashboard.of(StateOfViews(), max_live_pages=0)

    response = board.browser().get("/live/models")

    assert response.status_code == 503
    assert response.headers["retry-after"] == "30"
    assert "reload this one by hand" in response.text
