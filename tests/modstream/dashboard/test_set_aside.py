"""What was set aside, by reason: counted, cut, bounded, without contents."""

import json
from dataclasses import asdict

import pytest

from modstream.audit.names import MAX_COUNTED_NAMES
from modstream.broker.errors import NotJson
from modstream.broker.wire.contracts import UnjoinedReason
from modstream.broker.wire.dead_letters import build_dead_letter
from modstream.dashboard.figures import StreamFigures
from modstream.dashboard.set_aside import MAX_EXAMPLES


def set_aside(story, records=None):
    figures = StreamFigures(story.topics, story.route)
    figures.add(story.records if records is None else records, story.now)
    return figures.set_aside


def test_unjoined_labels_are_counted_by_reason(story):
    for number in range(3):
        story.set_aside(f"{number}", UnjoinedReason.LATE)
    story.set_aside("other", UnjoinedReason.MISSING)

    late, missing = set_aside(story).unjoined.view()

    assert (late.reason, late.count) == ("late", 3)
    assert (missing.reason, missing.count) == ("missing", 1)


def test_quarantined_rows_are_counted_by_rule_and_model(story):
    joined = story.flight("one")
    story.quarantine(joined)
    story.quarantine(joined, "frozen")

    found = {(one.reason, one.model): one.count for one in set_aside(story).quarantine.view()}

    assert found == {("out_of_range", "online"): 1, ("out_of_range", "frozen"): 1}


def test_dead_letters_have_their_newest_examples_without_contents(story):
    for number in range(20):
        story.dead_letter(story.ask(f"bad-{number:02d}", b'{"secret": '))

    for records in (story.records, story.records[::-1]):
        (cause,) = set_aside(story, records).dead_letters()

        assert (cause.cause, cause.count) == ("not_json", 20)
        assert [one.key for one in cause.examples] == [
            f"bad-{number}" for number in range(19, 19 - MAX_EXAMPLES, -1)
        ]
        assert cause.examples[0].request.startswith("flights.requests:")
        assert cause.last_at == story.now
        assert "secret" not in json.dumps(asdict(cause))


def test_texts_of_clients_are_cut_and_printable(story):
    odd = story.ask("one")._replace(key=b"\x1b[31m\xff" + b"k" * 9000)
    story.broker.append(build_dead_letter(odd, story.topics.dlq, NotJson("a\nb" * 500), "VALUE"))

    (cause,) = set_aside(story).dead_letters()
    (example,) = cause.examples

    assert len(example.key) <= 121
    assert example.key.isprintable()
    assert cause.message.isprintable()
    assert len(cause.message) <= 301


def test_the_number_of_causes_is_bounded(story):
    class Odd(Exception):
        def __init__(self, number):
            self.code = f"code-{number}"

    asked = story.ask("one")
    for number in range(300):
        story.broker.append(build_dead_letter(asked, story.topics.dlq, Odd(number), "VALUE"))

    causes = set_aside(story).dead_letters()

    assert len(causes) == MAX_COUNTED_NAMES + 1
    assert causes[0].cause == "others"
    assert causes[0].count == 300 - MAX_COUNTED_NAMES


@pytest.mark.parametrize("kind", ["unjoined", "quarantine"])
def test_an_unreadable_record_counts_by_its_error(story, kind):
    story.write(getattr(story.topics, kind), "odd", b"{")

    (found,) = getattr(set_aside(story), kind).view()

    assert (found.reason, found.count) == ("not_json", 1)


def test_what_is_older_than_the_history_is_forgotten(story):
    story.dead_letter(story.ask("bad", b"{"))
    figures = StreamFigures(story.topics, story.route)
    figures.add(story.records, story.now)

    later = story.now + 7 * 3_600_000

    assert figures.read(lambda one: one.set_aside.dead_letters(), later) == ()
