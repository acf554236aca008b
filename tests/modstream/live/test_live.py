"""The live view of a running stream: its statistics, its text, and the restored terminal."""

import io
import time
from threading import Event

import pytest
from rich.console import Console

from modstream.audit.lenient_messages import LenientFeedback
from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import UnjoinedReason
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import Header, Topics
from modstream.live import view
from modstream.live.follower import LagSampler, TopicFollower, lag_record
from modstream.live.label_counts import LabelCounts
from modstream.live.rolling_stats import RollingStats
from modstream.live.snapshot import StatsWindow
from modstream.live.view import LiveView, ViewSources, render_sparkline
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.producers.replay.pacing import ReplayProgress
from tests.modstream.live.groups import commit_offsets
from tests.modstream.stream_builder import NEW_YEAR, NOW

PROGRESS = ReplayProgress(
    requests=40, labels=40, first_event_time=NEW_YEAR, event_time=NEW_YEAR + 86_400_000
)


def collect(story, window: StatsWindow | None = None) -> RollingStats:
    stats = RollingStats(story.topics, story.route, window, VersionClasses(story.find_card))
    stats.add(story.records)
    return stats


def sources(stats: RollingStats, span: tuple[int, int] | None = None) -> ViewSources:
    return ViewSources(stats, lambda: {"worker": 3, "joiner": 1200}, lambda: PROGRESS, span)


def shown(view: LiveView, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(view.render())
    return console.file.getvalue()


def test_rates_cover_the_last_seconds(story):
    for number in range(1000):
        story.flight(f"{number}")

    snapshot = collect(story).snapshot(story.now / 1000)

    assert snapshot.request_rate == pytest.approx(100, abs=1)
    assert snapshot.requests == 1000
    assert len(snapshot.history) == 60
    assert sum(snapshot.history) == pytest.approx(1000, abs=100)


def test_idle_stream_has_no_rate_and_no_latency(story):
    story.flight("one")

    snapshot = collect(story).snapshot(NOW / 1000 + 60)

    assert snapshot.request_rate == 0
    assert snapshot.p50 != snapshot.p50


def test_latency_is_sampled_from_the_responses_of_the_first_model(story):
    for number in range(200):
        story.flight(f"{number}", after=30)

    stats = collect(story, StatsWindow(seconds=5, sample_every=4))

    snapshot = stats.snapshot(story.now / 1000 + 1)
    assert (snapshot.p50, snapshot.p99) == (30, 30)
    assert 40 <= len(stats._latencies) <= 60


def test_response_read_before_its_request_is_matched(story):
    story.flight("one", after=30)
    stats = RollingStats(story.topics, story.route, StatsWindow(sample_every=1))

    stats.add(story.records[::-1])

    assert stats.snapshot(story.now / 1000 + 1).p50 == 30


def test_number_of_unmatched_requests_is_bounded(story):
    for number in range(100):
        story.ask(f"{number}")

    stats = collect(story, StatsWindow(sample_every=1, max_pending=10))

    assert len(stats._unmatched) == 10


def test_versions_and_swaps_come_from_the_headers(story):
    for number, version in enumerate((1, 1, 2, 3)):
        story.flight("same key", version=version, event_time=NEW_YEAR + number)

    snapshot = collect(story).snapshot(story.now / 1000)

    assert snapshot.versions == {"online": 3, "frozen": 1}
    assert snapshot.swaps == {"online": 2, "frozen": 0}
    assert snapshot.predictions == {"online": 4, "frozen": 4}


def test_auc_covers_the_last_labels(story):
    for number in range(100):
        late = number % 2 == 0
        story.flight("key", 0.9 if late == (number >= 50) else 0.1, label=late)

    whole = collect(story, StatsWindow(labels=100)).snapshot(story.now / 1000)
    half = collect(story, StatsWindow(labels=50)).snapshot(story.now / 1000)

    assert whole.auc["online"] == pytest.approx(0.5)
    assert half.auc["online"] == pytest.approx(1.0)
    assert half.auc["frozen"] == pytest.approx(0.5)


def test_errors_dead_letters_and_malformed_records_are_tolerated(story):
    story.reject(story.ask("odd"), None)
    story.dead_letter(story.ask("illegible", b"{"))
    story.write(story.topics.feedback, "odd", b"{")
    story.write(story.topics.predictions, "odd", b"{")

    snapshot = collect(story).snapshot(story.now / 1000)

    assert (snapshot.errors, snapshot.dead_letters) == (1, 1)


def test_view_shows_the_progress_of_the_stream(story):
    story.season(200, days=2, swaps=4)
    view = LiveView(
        sources(collect(story), (NEW_YEAR, NEW_YEAR + 2 * 86_400_000)), Console(width=100)
    )

    text = shown(view)

    assert "2013-01-02" in text
    assert "worker 3, joiner 1,200" in text
    assert "online" in text
    assert "hot swaps" in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_progress_of_a_long_replay_is_one_line_of_80_columns(story):
    times = {"first_event_time": NEW_YEAR, "event_time": NEW_YEAR + 86_400_000}
    progress = ReplayProgress(requests=250_123, labels=245_001, **times)
    span = (NEW_YEAR, NEW_YEAR + 2 * 86_400_000)
    found = ViewSources(collect(story), dict, lambda: progress, span)

    first = shown(LiveView(found, Console(width=80)), 80).splitlines()[0]

    assert "2013-01-02" in first
    assert "250,123 requests, 245,001 labels" in first


def test_view_of_an_empty_stream_renders(story):
    stats = RollingStats(story.topics, story.route, versions=VersionClasses(story.find_card))
    view = LiveView(ViewSources(stats, dict, ReplayProgress), Console(width=100))

    assert "requests/s" in shown(view)
    assert view.render_line().startswith("-  0 requests")


def test_cursor_is_restored_when_the_view_is_interrupted(story):
    console = Console(file=io.StringIO(), force_terminal=True, width=100)

    with pytest.raises(KeyboardInterrupt), LiveView(sources(collect(story)), console):
        raise KeyboardInterrupt

    written = console.file.getvalue()
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")


def test_without_a_terminal_plain_lines_are_printed(story, monkeypatch):
    class Log(io.StringIO):
        written = Event()

        def write(self, text):
            self.written.set()
            return super().write(text)

    monkeypatch.setattr(view, "LINE_INTERVAL_S", 0.01)
    story.flight("one")
    console = Console(file=Log(), width=40)

    with LiveView(sources(collect(story)), console):
        assert console.file.written.wait(5)

    first = console.file.getvalue().splitlines()[0]
    assert first.startswith("2013-01-02  1 requests")
    assert "\x1b" not in first
    assert "lag worker 3, joiner 1,200" in first


def test_sparkline_is_scaled_to_its_largest_value():
    assert render_sparkline((0, 5, 10), width=3) == "▁▄█"
    assert render_sparkline((0, 0)) == ""


def test_lag_sample_is_a_metrics_record(story):
    outgoing = lag_record(story.topics, {"worker": 7}, NOW)

    metrics = decode(Metrics, outgoing.value)
    assert outgoing.key == b"lag"
    assert (metrics.kind, metrics.event_time, metrics.values) == ("lag", NOW, {"worker": 7})


@pytest.mark.real
def test_follower_and_lag_sampler_follow_a_real_stream(bootstrap, prefix, story):
    connection, topics = Connection(bootstrap), Topics("flights", prefix)
    Admin(connection).create(topics.specs(partitions=2))
    commit_offsets(connection, topics.group("worker"), topics.requests)
    stats = RollingStats(topics, story.route, StatsWindow(sample_every=1))

    with (
        TopicFollower(connection, topics, stats),
        LagSampler(connection, topics, 0.1) as sampler,
        Publisher(connection) as publisher,
    ):
        for number in range(50):
            publisher.send(ProducerRecord(topics.requests, f"{number}".encode(), b"{}"))
        publisher.flush()
        deadline = time.monotonic() + 20
        while stats.snapshot(time.time()).requests < 50 or sampler.latest.get("worker") != 50:
            assert time.monotonic() < deadline
            Event().wait(0.05)

    newest = [decode(Metrics, record.value) for record in read_to_end(connection, [topics.metrics])]
    assert newest[-1].values == {"worker": 50}


def test_a_row_is_joined_once_however_many_feedback_records_it_has(story):
    for number in range(20):
        asked = story.ask(f"{number}")
        online, frozen = (story.answer(asked, model) for model in story.route)
        story.label(f"{number}")
        first = story.join(f"{number}", online)
        story.join(f"{number}", frozen, features=None)
    story.repeat(first)
    story.write(first.topic, "19", first.value, ((Header.REDRIVE_OF, b"flights.quarantine:0:1"),))
    copied = story.broker.read(story.topics.labels)[0]
    origin = ((Header.FORWARDED_FROM, b"flights.labels:0:7"),)
    story.write(copied.topic, copied.key.decode(), copied.value, origin)

    stats = collect(story)

    snapshot = stats.snapshot(story.now / 1000)
    assert (snapshot.labels, snapshot.joined) == (20, 20)
    assert "20 sent, 20 joined" in shown(LiveView(sources(stats), Console(width=100)))


def test_predictions_without_a_label_are_no_unjoined_labels(story):
    story.set_aside("late", UnjoinedReason.LATE)
    story.set_aside("never", UnjoinedReason.MISSING)

    snapshot = collect(story).snapshot(story.now / 1000)

    assert (snapshot.unjoined, snapshot.missing) == (1, 1)


def test_joined_rows_are_remembered_within_bounds(story):
    counts = LabelCounts(max_rows=3)
    for number in range(10):
        record = story.join(f"{number}")
        counts.add_feedback(record, decode(LenientFeedback, record.value))

    assert counts.joined == 10
    assert len(counts._joined_rows) == 3


def test_view_without_labels_and_services_leaves_them_out_and_says_so(story):
    asked = story.ask("one")
    story.answer(asked, "online")
    stats = collect(story, StatsWindow(sample_every=1))
    view = LiveView(ViewSources(stats, lambda: {"worker": 3}, title="flights since 12:30"))

    text = shown(view, 80)

    assert text.startswith("flights since 12:30")
    assert "joined" not in text.replace("were joined", "")
    assert "AUC, last" not in text
    assert "no labels so far" in text
    assert "no lag, has not read the stream yet: joiner and learner" in text
    assert max(map(len, text.splitlines())) <= 80
    assert view.render_line().startswith("flights since 12:30  1 requests")
    assert "AUC" not in view.render_line()


def test_a_stream_that_other_models_answer_than_those_of_the_route_is_shown(story):
    story.route = ("first", "second")
    asked = story.ask("one")
    story.answer(asked, "first", after=30)
    story.answer(asked, "second", after=70)
    stats = RollingStats(story.topics, ("flights",), StatsWindow(sample_every=1))
    stats.add(story.records)

    text = shown(LiveView(ViewSources(stats, dict, title="flights")), 80)

    assert stats.snapshot(story.now / 1000 + 1).p50 == 30
    assert [word in text for word in ("first", "second")] == [True, True]
