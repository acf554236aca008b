"""The story of one request, from its records in the topics."""

import json
import math
from dataclasses import asdict

import pytest

from modstream.broker.wire.contracts import SourcePosition, UnjoinedReason
from modstream.broker.wire.topics import Header
from modstream.cli import output
from modstream.cli.trace import print_story
from modstream.operations.trace.effect import LearningOutcome, PredictionScore
from modstream.operations.trace.facts import (
    FeedbackEntry,
    LabelEntry,
    RequestEntry,
    RequestStory,
    ResponseEntry,
)
from modstream.operations.trace.story import markers_in_effect
from tests.modstream.operations.trace.traces import SHA, trace, version_marker
from tests.modstream.stream_builder import ROW


def test_whole_story_of_a_request_that_was_learned(story):
    story.flight("other")
    story.flight("mine", 0.8)
    story.publish(sha256=SHA)

    request_story = trace(story, "mine")

    (request,), (online, frozen) = request_story.requests, request_story.responses
    assert (request_story.label_status, request.key, request.ref) == ("joined", "mine", "champion")
    assert request.features == ROW
    assert (online.model, online.version, online.ref) == ("online", 1, "champion")
    assert (online.sha256, online.source) == (SHA, request.position)
    assert (frozen.model, frozen.sha256) == ("frozen", None)
    (label,), (joined,) = request_story.labels, request_story.feedback
    assert (label.label, label.revision) == (True, 0)
    assert joined.scores[0].losses["log_loss"] == pytest.approx(-math.log(0.8))
    assert [(one.model, one.outcome, one.version) for one in joined.learning] == [
        ("online", "learned", 1)
    ]


def test_request_without_other_records_has_no_label_yet(story):
    story.ask("lone")

    request_story = trace(story, "lone")

    assert (len(request_story.requests), request_story.responses, request_story.label_status) == (
        1,
        (),
        "no label yet",
    )


@pytest.mark.parametrize("reason", list(UnjoinedReason))
def test_unjoined_label_has_its_reason(story, reason):
    story.answer(story.ask("mine"), "online")
    story.set_aside("mine", reason)

    request_story = trace(story, "mine")

    assert request_story.label_status == f"not joined: {reason}"
    assert [aside.reason for aside in request_story.unjoined] == [reason]


def test_forwarded_label_is_shown_where_it_was_sent(story):
    story.flight("mine")
    label = next(one for one in story.records if one.topic == story.topics.labels)
    story.write(label.topic, "mine", label.value, ((Header.FORWARDED_FROM, b"labels:1:0"),))

    (shown,) = trace(story, "mine").labels

    assert shown.position == label.position


def test_label_without_a_join_is_not_joined_yet(story):
    story.answer(story.ask("mine"), "online")
    story.label("mine")

    assert trace(story, "mine").label_status == "label not joined yet"


def test_error_response_has_its_code(story):
    story.reject(story.ask("mine", model="ghost"), "ghost", "unknown_model")

    (answer,) = trace(story, "mine").responses

    assert (answer.model, answer.error, answer.version) == ("ghost", "unknown_model", None)


def test_dead_letter_of_which_only_the_key_is_readable_has_its_cause(story):
    story.dead_letter(story.ask("mine", b'{"rubbish'))

    request_story = trace(story, "mine")

    assert "not JSON" in request_story.requests[0].decode_error
    assert request_story.dead_letters[0].cause["class.name"] == "not_json"


@pytest.mark.parametrize("name", ['"quoted"', "back\\slash", "a/b", "Zürich", "tab\t"])
def test_id_that_json_may_escape_is_found(story, name):
    request = story.ask("x", b'{"id": "%s", "features": {"x": 1}}' % escaped(name))
    story.answer(request, "online", id=name)

    request_story = trace(story, name)

    assert (len(request_story.requests), len(request_story.responses)) == (1, 1)


def escaped(name):
    return "".join(f"\\u{ord(character):04x}" for character in name).encode()


def test_records_of_a_longer_id_with_this_prefix_are_ignored(story):
    story.flight("mine")
    story.flight("mine-2")

    request_story = trace(story, "mine")

    assert (
        len(request_story.requests),
        len(request_story.labels),
        len(request_story.feedback),
    ) == (1, 1, 1)


def test_response_has_the_last_version_marker_of_its_model_and_ref(story):
    story.ask("mine")
    request = story.ask("mine")
    story.answer(request, "online", version=2)
    version_markers = [
        version_marker(request, 1, back=1),
        version_marker(request, 2),
        version_marker(request, 3, ref="shadow"),
    ]

    (answer,) = trace(story, "mine", version_markers=version_markers).responses

    assert (answer.version_marker, answer.sha256, answer.parent) == (request.position, SHA, 7)


def test_version_marker_of_another_version_is_ignored(story):
    request = story.ask("mine")
    story.answer(request, "online", version=2)

    (answer,) = trace(story, "mine", version_markers=[version_marker(request, 1)]).responses

    assert (answer.version_marker, answer.sha256) == (None, None)


def test_version_markers_in_effect_at_a_position(story):
    record = story.ask("mine")._replace(offset=20)
    here = SourcePosition(topic=record.topic, partition=record.partition, offset=20)
    version_markers = [
        version_marker(record, 3, back=-1),
        version_marker(record, 2, back=5),
        version_marker(record, 1, back=20),
        version_marker(record, 8, model="frozen", back=0),
        version_marker(record._replace(partition=record.partition + 1), 9),
    ]

    found = {one.model: one.version for one in markers_in_effect(version_markers, here)}

    assert found == {"online": 2, "frozen": 8}


def test_story_is_printed_without_empty_sections(story, capsys):
    story.flight("mine", 0.8)
    story.publish(sha256=SHA)
    story.ask("lone", b"\x1b[2J[red]")

    print_story(trace(story, "mine"))
    full = capsys.readouterr().out
    print_story(trace(story, "lone"))
    short = capsys.readouterr().out

    assert full.startswith("mine: joined")
    for part in ("requests", "responses", "labels", "losses", "learned", "log_loss"):
        assert part in full
    assert "dead letters" not in full
    assert "responses" not in short


def test_story_can_be_written_as_json(story):
    story.flight("mine")
    story.publish()
    request_story = trace(story, "mine")

    assert (
        json.loads(json.dumps(asdict(request_story)))["feedback"][0]["learning"][0]["version"] == 1
    )


@pytest.fixture
def thousand_rows():
    """Return the story of a request of 1,000 rows, each with its label."""
    at, topic = 1_700_000_000_000, "flights.requests:3:104122"
    rows = range(1000)
    features = [{f"feature_{number}": number * 1.37 for number in range(13)} for _ in rows]
    scores = tuple(PredictionScore(model, 17, {"log_loss": 0.1}, ()) for model in ("a", "b"))
    learning = (LearningOutcome("a", "learned", 18),)
    return RequestStory(
        "9f3c1a52-1",
        "joined",
        requests=(RequestEntry(topic, at, "k", 1, None, features=features),),
        responses=(
            ResponseEntry(
                *("flights.predictions:3:1", at, topic, "a", "champion"),
                version=17,
                outputs=[{"probability": 0.5} for _ in rows],
                sha256=SHA,
            ),
        ),
        labels=tuple(LabelEntry(f"flights.labels:3:{n}", at, True, 0, at, n) for n in rows),
        feedback=tuple(
            FeedbackEntry(f"flights.feedback:3:{n}", at, True, scores, learning, n) for n in rows
        ),
    )


@pytest.mark.slow
def test_a_request_of_a_thousand_rows_is_one_page(thousand_rows, capsys, monkeypatch):
    for console in (output.stdout, output.stderr):
        monkeypatch.setattr(console, "_width", 80)

    print_story(thousand_rows)
    shown, noted = capsys.readouterr()
    print_story(thousand_rows, 2000)
    whole = capsys.readouterr()

    assert len(shown.splitlines()) < 70
    assert max(map(len, shown.splitlines())) <= 80
    assert "1 of 1,000: feature_0: 0, feature_1: 1.37" in " ".join(shown.split())
    assert "labels in flights.labels, 5 of 1,000" in shown
    assert "--rows 2000 or --json shows all" in noted
    assert whole.out.count("learned") == 1000
    assert "--rows" not in whole.err
