"""The story of one request, told from what stands in the topics."""

import json
import math
from dataclasses import asdict
from datetime import UTC, datetime

import pytest
import typer

from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import (
    Fence,
    Metrics,
    ModelEvent,
    Quarantined,
    Source,
    UnjoinedReason,
)
from modstream.broker.wire.partitioner import partition_of
from modstream.broker.wire.records import TopicPartition
from modstream.broker.wire.topics import Topics
from modstream.cli.time_options import moment
from modstream.cli.trace import print_account
from modstream.operations.trace.collector import Trail
from modstream.operations.trace.search import Scope, carriers, likely_spans, source_of
from modstream.operations.trace.story import Context, account_of, served
from tests.modstream.stream_builder import ROW

SHA = "a" * 64


def told(story, name, **context):
    """The account of a request; fences are given, the rest is read where the story wrote it."""
    trail = Trail(name, story.topics)
    for record in story.records:
        trail.add(record)
    events = [decode(ModelEvent, r.value) for r in story.broker.read(story.topics.model_events)]
    series = [decode(Metrics, r.value) for r in story.broker.read(story.topics.metrics)]
    return account_of(trail, Context(**{"events": events, "series": series, **context}))


def fence(record, version=1, ref="champion", model="online", back=0):
    source = Source(topic=record.topic, partition=record.partition, offset=record.offset - back)
    return Fence(model=model, ref=ref, version=version, sha256=SHA, parent=7, source=source)


def figure(story, joined, value, window, offset=None):
    """The prequential figures of `online` 1 that cover a feedback record, or all before it."""
    offsets = {str(joined.home): joined.offset + 1 if offset is None else offset}
    values = {"labelled": window + 100.0, "window": float(window), "log_loss": value}
    metrics = Metrics(kind="prequential", model="online", version=1, values=values, offsets=offsets)
    story.write(story.topics.metrics, "prequential", metrics)


def test_the_whole_story_of_a_request_that_was_learned(story):
    story.flight("other")
    story.flight("mine", 0.8)
    story.publish(sha256=SHA)

    account = told(story, "mine")

    (asked,), (online, frozen) = account.requests, account.answers
    assert (account.fate, asked.key, asked.asked_as) == ("joined", "mine", "champion")
    assert asked.features == ROW
    assert (online.model, online.version, online.asked_as) == ("online", 1, "champion")
    assert (online.sha256, online.source) == (SHA, asked.place)
    assert (frozen.model, frozen.sha256) == ("frozen", None)
    (label,), (joined,) = account.labels, account.joined
    assert (label.label, label.revision) == (True, 0)
    assert joined.scores[0].loss["log_loss"] == pytest.approx(-math.log(0.8))
    assert [(one.model, one.fate, one.version) for one in joined.lessons] == [
        ("online", "learned", 1)
    ]


def test_a_request_without_anything_has_no_label_yet(story):
    story.ask("lone")

    account = told(story, "lone")

    assert (len(account.requests), account.answers, account.fate) == (1, (), "no label yet")


@pytest.mark.parametrize("reason", list(UnjoinedReason))
def test_what_was_not_joined_says_why(story, reason):
    story.answer(story.ask("mine"), "online")
    story.set_aside("mine", reason)

    account = told(story, "mine")

    assert account.fate == f"not joined: {reason}"
    assert [aside.reason for aside in account.set_aside] == [reason]


def test_a_label_that_nobody_has_joined_yet_waits(story):
    story.answer(story.ask("mine"), "online")
    story.label("mine")

    assert told(story, "mine").fate == "the label waits for the joiner"


def test_a_refusal_is_told_with_its_code(story):
    story.refuse(story.ask("mine", model="ghost"), "ghost", "unknown_model")

    (answer,) = told(story, "mine").answers

    assert (answer.model, answer.error, answer.version) == ("ghost", "unknown_model", None)


def test_a_dead_letter_is_told_with_its_cause_though_only_its_key_is_legible(story):
    story.bury(story.ask("mine", b'{"rubbish'))

    account = told(story, "mine")

    assert "not JSON" in account.requests[0].fault
    assert account.dead_letters[0].cause["class.name"] == "not_json"


@pytest.mark.parametrize("name", ['"quoted"', "back\\slash", "a/b", "Zürich", "tab\t"])
def test_an_id_that_json_may_spell_in_several_ways_is_found(story, name):
    asked = story.ask("x", b'{"id": "%s", "features": {"x": 1}}' % escaped(name))
    story.answer(asked, "online", id=name)

    account = told(story, name)

    assert (len(account.requests), len(account.answers)) == (1, 1)


def escaped(name):
    return "".join(f"\\u{ord(character):04x}" for character in name).encode()


def test_records_of_another_id_that_contains_this_one_are_not_taken(story):
    story.flight("mine")
    story.flight("mine-2")

    account = told(story, "mine")

    assert (len(account.requests), len(account.labels), len(account.joined)) == (1, 1, 1)


def test_an_answer_lies_behind_the_last_fence_of_its_model_and_reference(story):
    story.ask("mine")
    asked = story.ask("mine")
    story.answer(asked, "online", version=2)
    fences = [fence(asked, 1, back=1), fence(asked, 2), fence(asked, 3, ref="shadow")]

    (answer,) = told(story, "mine", fences=fences).answers

    assert (answer.fence, answer.sha256, answer.parent) == (asked.place, SHA, 7)


def test_a_fence_of_another_version_explains_nothing(story):
    asked = story.ask("mine")
    story.answer(asked, "online", version=2)

    (answer,) = told(story, "mine", fences=[fence(asked, 1)]).answers

    assert (answer.fence, answer.sha256) == (None, None)


def test_fences_tell_who_answered_at_a_place(story):
    record = story.ask("mine")._replace(offset=20)
    here = Source(topic=record.topic, partition=record.partition, offset=20)
    fences = [
        fence(record, 3, back=-1),
        fence(record, 2, back=5),
        fence(record, 1, back=20),
        fence(record, 8, model="frozen", back=0),
        fence(record._replace(partition=record.partition + 1), 9),
    ]

    found = {one.model: one.version for one in served(fences, here)}

    assert found == {"online": 2, "frozen": 8}


def test_a_label_s_effect_is_the_figure_before_it_with_it_and_its_own_part(story):
    joined = story.flight("mine", 0.8)
    loss = -math.log(0.8)
    figure(story, joined, 0.5, window=3, offset=joined.offset)
    figure(story, joined, (3 * 0.5 + loss) / 4, window=4)
    figure(story, joined, 99.0, window=5, offset=joined.offset + 9)

    score, other = told(story, "mine").joined[0].scores
    (effect,) = score.effects

    assert (effect.figure, effect.before, effect.labelled) == ("log_loss", 0.5, 104)
    assert effect.after == pytest.approx((1.5 + loss) / 4)
    assert effect.alone == pytest.approx(effect.after - 0.5)
    assert (other.model, other.effects) == ("frozen", ())


def test_the_first_label_of_a_version_moves_nothing(story):
    joined = story.flight("mine", 0.8)
    figure(story, joined, -math.log(0.8), window=1)

    (effect,) = told(story, "mine").joined[0].scores[0].effects

    assert (effect.before, effect.alone) == (None, None)


def test_a_label_that_is_not_of_the_task_has_no_loss(story):
    answer = story.answer(story.ask("mine"), "online")
    story.join("mine", answer, label="yes")

    assert told(story, "mine").joined[0].scores[0].loss == {}


def test_a_row_beyond_the_newest_version_waits_to_be_learned(story):
    story.flight("early")
    story.publish(offsets={f"{story.topics.feedback}:{n}": 0 for n in (0, 1)})
    story.flight("mine")

    (lesson,) = told(story, "mine").joined[0].lessons

    assert (lesson.fate, lesson.version) == ("waiting", None)


def test_a_row_is_learned_by_the_version_whose_share_holds_it(story):
    story.flight("mine")
    story.publish()
    story.flight("later")
    story.publish()

    assert told(story, "mine").joined[0].lessons[0].version == 1
    assert told(story, "later").joined[0].lessons[0].version == 2


def test_a_row_of_which_no_version_tells_is_unknown(story):
    joined = story.flight("mine")
    story.publish(learned_from={str(joined.home): joined.offset + 1})

    assert told(story, "mine").joined[0].lessons[0].fate == "unknown"


def test_a_quarantined_row_names_its_rule(story):
    joined = story.flight("mine")
    story.publish()
    source = Source(topic=joined.topic, partition=joined.partition, offset=joined.offset)
    row = Quarantined(id="mine", model="online", rule="not_finite", detail="x", source=source)
    story.write(story.topics.quarantine, "mine", row)

    (lesson,) = told(story, "mine").joined[0].lessons

    assert (lesson.fate, lesson.detail) == ("quarantined", "not_finite: x")


def test_a_repeated_join_and_one_without_features_are_not_learned(story):
    first = story.flight("mine")
    story.repeat(first)
    late = story.answer(story.asked("mine"), "late")
    story.join("mine", late, features=None)
    story.publish()

    account = told(story, "mine")

    assert [joined.lessons[0].fate for joined in account.joined] == [
        "learned", "repeated", "no features",
    ]  # fmt: skip


def test_the_partition_of_the_key_is_looked_at_first():
    topics = Topics("s")
    everywhere = {
        TopicPartition(topic, number): (0, 9) for topic in carriers(topics) for number in range(5)
    }

    by_id = likely_spans(everywhere, "mine", Scope())
    by_key = likely_spans(everywhere, "mine", Scope(key="theirs"))
    by_number = likely_spans(everywhere, "mine", Scope(partition=3))

    assert {home.partition for home in by_id} == {partition_of(b"mine", 5)}
    assert {home.partition for home in by_key} == {partition_of(b"theirs", 5)}
    assert {home.partition for home in by_number} == {3}
    assert len(by_id) == len(carriers(topics))


@pytest.mark.parametrize(
    ("text", "found"),
    [("s.requests:2:41", (2, 41)), ("s.labels:2:41", None), ("s.requests", None),
     ("s.requests:2", None), ("s.requests:a:b", None), ("r-1", None)],
)  # fmt: skip
def test_a_place_in_the_requests_is_told_from_an_id(text, found):
    source = source_of(text, "s.requests")

    assert (source and (source.partition, source.offset)) == found


def test_an_account_is_printed_with_what_it_has_and_nothing_empty(story, capsys):
    story.flight("mine", 0.8)
    story.publish(sha256=SHA)
    story.ask("lone", b"\x1b[2J[red]")

    print_account(told(story, "mine"))
    full = capsys.readouterr().out
    print_account(told(story, "lone"))
    short = capsys.readouterr().out

    assert full.startswith("mine: joined")
    for part in ("requests", "answers", "labels", "losses", "learned", "log_loss"):
        assert part in full
    assert "dead letters" not in full
    assert "answers" not in short


def test_an_account_is_plain_enough_for_json(story):
    story.flight("mine")
    story.publish()
    account = told(story, "mine")

    assert json.loads(json.dumps(asdict(account)))["joined"][0]["lessons"][0]["version"] == 1


@pytest.mark.parametrize(
    ("text", "when"),
    [("2026-11-24T17:30", datetime(2026, 11, 24, 17, 30, tzinfo=UTC)),
     ("2026-11-24T17:30+01:00", datetime(2026, 11, 24, 16, 30, tzinfo=UTC)),
     ("2026-11-24", datetime(2026, 11, 24, tzinfo=UTC)),
     ("1700000000000", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC))],
)  # fmt: skip
def test_a_point_in_time_is_read(text, when):
    assert moment(text) == when.timestamp() * 1000


def test_so_long_ago_is_read_and_rubbish_is_not():
    now = datetime.now(UTC).timestamp() * 1000

    assert moment("2h") == pytest.approx(now - 7_200_000, abs=60_000)
    with pytest.raises(typer.BadParameter, match="yesterday"):
        moment("yesterday")
