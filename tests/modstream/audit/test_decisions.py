"""Decisions of promotion gates in the report, the live view and the command line."""

import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from modstream.audit.result import to_json
from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.broker.wire.records import ProducerRecord
from modstream.cli.app import app
from modstream.live.rolling_stats import RollingStats
from modstream.live.view import LiveView, ViewSources
from modstream.producers.replay.pacing import ReplayProgress
from modstream.report.console import print_report
from modstream.report.page import render_page
from modstream.settings import load_settings
from tests.modstream.stream_builder import NEW_YEAR, NOW


@pytest.fixture
def decided(story):
    """A stream whose gate promoted once and rolled back once."""
    for number in range(60):
        story.flight(f"{number}", 0.3 + number % 2 * 0.4, label=number % 2 == 1)
    story.publish()
    story.decide()
    story.now += 1000
    story.decide("rollback", event_time=NEW_YEAR + 1)
    return story


def test_decisions_come_in_order_with_their_evidence(decided):
    first, second = decided.audit_result().decisions

    evidence = first.evidence
    assert (first.action, evidence.champion, evidence.candidate) == ("promote", "steady", "quick")
    assert (evidence.count, evidence.champion_loss, evidence.candidate_loss) == (3500, 0.21, 0.2)
    errors = (second.evidence.error_before, second.evidence.error_after)
    assert (second.action, *errors) == ("rollback", 0.25, 0.7)
    assert decided.audit_result().is_sound


def test_duplicate_decision_counts_once(decided):
    decided.decide("rollback", event_time=NEW_YEAR + 1)

    assert len(decided.audit_result().decisions) == 2


def test_report_shows_decisions_in_a_table(decided):
    console = Console(width=160)
    with console.capture() as capture:
        print_report(decided.audit_result(), console)

    assert "Decisions of the promotion gate" in capture.get()
    assert "steady > quick" in capture.get()
    assert "0.25 > 0.70" in capture.get()


def test_page_marks_decisions_in_the_plots(decided, story):
    with_marks = render_page(decided.audit_result())

    assert "promotions (solid) and rollbacks (dashed)" in with_marks
    assert len(json.loads(to_json(decided.audit_result()))["decisions"]) == 2


def test_live_view_shows_the_newest_decisions(decided):
    recent = RollingStats(decided.topics, decided.route)
    recent.add(decided.records)
    view = LiveView(ViewSources(recent, dict, ReplayProgress))
    console = Console(width=120)
    with console.capture() as capture:
        console.print(view.render())

    assert "2013-01-01 rollback online v1: it lost less" in capture.get()
    assert "rollback online v1" in view.render_line()


@pytest.mark.real
def test_the_command_line_prints_the_history_of_decisions(
    bootstrap, prefix, decided, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODSTREAM_BOOTSTRAP", bootstrap)
    monkeypatch.setenv("MODSTREAM_PREFIX", prefix)
    settings = load_settings()
    Admin(settings.connection).create(settings.topic_specs())
    topic = settings.topics().model_events
    with Publisher(settings.connection) as publisher:
        for record in decided.broker.read(decided.topics.model_events):
            publisher.send(ProducerRecord(topic, record.key, record.value))
        publisher.flush()

    plain = CliRunner().invoke(app, ["models", "show", "online", "--decisions", "--json"])
    nobody = CliRunner().invoke(app, ["models", "show", "frozen", "--decisions", "--json"])

    assert [one["action"] for one in json.loads(plain.output)] == ["promote", "rollback"]
    assert json.loads(plain.output)[0]["decided_at"] < NOW + 60_000
    assert json.loads(nobody.output) == []
