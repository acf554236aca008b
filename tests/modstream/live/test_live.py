"""The view of a running stream: what it folds, what it shows, and that it lets the terminal be."""

import io
import time
from threading import Event

import pytest
from rich.console import Console

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Metrics
from modstream.broker.wire.records import Outgoing
from modstream.broker.wire.topics import Topics
from modstream.live import view
from modstream.live.follower import LagSampler, Tail, sample
from modstream.live.rolling_stats import Recent, Window
from modstream.live.view import LiveView, Sources, sparkline
from modstream.producers.replay.pacing import Progress
from tests.modstream.stream_builder import NEW_YEAR, NOW

PROGRESS = Progress(requests=40, labels=40, began=NEW_YEAR, event_time=NEW_YEAR + 86_400_000)


def told(story, window: Window | None = None) -> Recent:
    recent = Recent(story.topics, story.route, window)
    recent.add(story.records)
    return recent


def sources(recent: Recent, span: tuple[int, int] | None = None) -> Sources:
    return Sources(recent, lambda: PROGRESS, lambda: {"worker": 3, "joiner": 1200}, span)


def shown(view: LiveView, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(view.render())
    return console.file.getvalue()


def test_rates_are_those_of_the_last_seconds(story):
    for number in range(1000):
        story.flight(f"{number}")

    glance = told(story).glance(story.now / 1000)

    assert glance.request_rate == pytest.approx(100, abs=1)
    assert glance.requests == 1000
    assert len(glance.history) == 60
    assert sum(glance.history) == pytest.approx(1000, abs=100)


def test_a_stream_that_has_fallen_silent_has_no_rate_and_no_latency(story):
    story.flight("one")

    glance = told(story).glance(NOW / 1000 + 60)

    assert glance.request_rate == 0
    assert glance.p50 != glance.p50


def test_latency_is_sampled_from_the_answers_of_the_first_model(story):
    for number in range(200):
        story.flight(f"{number}", after=30)

    recent = told(story, Window(seconds=5, sample=4))

    glance = recent.glance(story.now / 1000 + 1)
    assert (glance.p50, glance.p99) == (30, 30)
    assert 40 <= len(recent._latencies) <= 60


def test_an_answer_that_is_read_before_its_request_is_paired_all_the_same(story):
    story.flight("one", after=30)
    recent = Recent(story.topics, story.route, Window(sample=1))

    recent.add(story.records[::-1])

    assert recent.glance(story.now / 1000 + 1).p50 == 30


def test_what_waits_for_a_partner_is_bounded(story):
    for number in range(100):
        story.ask(f"{number}")

    recent = told(story, Window(sample=1, pending=10))

    assert len(recent._halves) == 10


def test_versions_and_swaps_come_from_the_headers(story):
    for number, version in enumerate((1, 1, 2, 3)):
        story.flight("same key", version=version, event_time=NEW_YEAR + number)

    glance = told(story).glance(story.now / 1000)

    assert glance.versions == {"online": 3, "frozen": 1}
    assert glance.swaps == {"online": 2, "frozen": 0}
    assert glance.answers == {"online": 4, "frozen": 4}


def test_auc_is_that_of_the_last_labels(story):
    for number in range(100):
        late = number % 2 == 0
        story.flight("key", 0.9 if late == (number >= 50) else 0.1, label=late)

    whole = told(story, Window(labels=100)).glance(story.now / 1000)
    half = told(story, Window(labels=50)).glance(story.now / 1000)

    assert whole.auc["online"] == pytest.approx(0.5)
    assert half.auc["online"] == pytest.approx(1.0)
    assert half.auc["frozen"] == pytest.approx(0.5)


def test_errors_dead_letters_and_broken_records_do_not_disturb(story):
    story.refuse(story.ask("odd"), None)
    story.bury(story.ask("illegible", b"{"))
    story.write(story.topics.feedback, "odd", b"{")
    story.write(story.topics.predictions, "odd", b"{")

    glance = told(story).glance(story.now / 1000)

    assert (glance.errors, glance.dead_letters) == (1, 1)


def test_the_view_shows_how_far_the_stream_is(story):
    story.season(200, days=2, swaps=4)
    view = LiveView(sources(told(story), (NEW_YEAR, NEW_YEAR + 2 * 86_400_000)), Console(width=100))

    text = shown(view)

    assert "2013-01-02" in text
    assert "worker 3, joiner 1,200" in text
    assert "online" in text
    assert "hot swaps" in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_view_of_nothing_is_a_view(story):
    recent = Recent(story.topics, story.route)
    view = LiveView(Sources(recent, Progress, dict), Console(width=100))

    assert "requests/s" in shown(view)
    assert view.line().startswith("-  0 requests")


def test_the_cursor_comes_back_when_the_view_is_interrupted(story):
    console = Console(file=io.StringIO(), force_terminal=True, width=100)

    with pytest.raises(KeyboardInterrupt), LiveView(sources(told(story)), console):
        raise KeyboardInterrupt

    written = console.file.getvalue()
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")


def test_without_a_terminal_plain_lines_are_printed(story, monkeypatch):
    class Log(io.StringIO):
        written = Event()

        def write(self, text):
            self.written.set()
            return super().write(text)

    monkeypatch.setattr(view, "PLAIN_SECONDS", 0.01)
    story.flight("one")
    console = Console(file=Log(), width=40)

    with LiveView(sources(told(story)), console):
        assert console.file.written.wait(5)

    first = console.file.getvalue().splitlines()[0]
    assert first.startswith("2013-01-02  1 requests")
    assert "\x1b" not in first
    assert "lag worker 3, joiner 1,200" in first


def test_a_sparkline_is_as_high_as_its_greatest_value():
    assert sparkline((0, 5, 10), width=3) == "▁▄█"
    assert sparkline((0, 0)) == ""


def test_a_look_at_the_lag_is_a_metrics_record(story):
    outgoing = sample(story.topics, {"worker": 7}, NOW)

    metrics = decode(Metrics, outgoing.value)
    assert outgoing.key == b"lag"
    assert (metrics.kind, metrics.event_time, metrics.values) == ("lag", NOW, {"worker": 7})


@pytest.mark.real
def test_the_tail_and_the_lag_follow_a_real_stream(bootstrap, prefix, story):
    connection, topics = Connection(bootstrap), Topics("flights", prefix)
    Admin(connection).create(topics.specs(partitions=2))
    recent = Recent(topics, story.route, Window(sample=1))

    with (
        Tail(connection, topics, recent),
        LagSampler(connection, topics, 0.1) as sampler,
        Publisher(connection) as publisher,
    ):
        for number in range(50):
            publisher.send(Outgoing(topics.requests, f"{number}".encode(), b"{}"))
        publisher.flush()
        deadline = time.monotonic() + 20
        while recent.glance(time.time()).requests < 50 or sampler.latest.get("worker") != 50:
            assert time.monotonic() < deadline
            Event().wait(0.05)

    newest = [decode(Metrics, record.value) for record in read_to_end(connection, [topics.metrics])]
    assert newest[-1].values["worker"] == 50
