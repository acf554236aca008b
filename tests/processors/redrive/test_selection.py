"""Dead letters: which ones are redriven, as what, and how their attempts are counted."""

import pytest

from modstream.broker.errors import NotJson, RecordTooLarge
from modstream.broker.wire.dead_letters import (
    build_dead_letter,
    build_redriven_request,
    read_attempts,
    read_cause,
)
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header
from modstream.processors.redrive.selection import (
    DeadLetter,
    LetterClassifier,
    LetterFilter,
    LetterState,
    group_letters,
    oldest_by_topic,
    read_dead_letter,
)

REQUESTS = "s.requests"


def request(value=b"\x00rubbish", headers=(("traceparent", b"00-1"), ("empty", None)), offset=7):
    return Record(REQUESTS, 2, offset, b"k", value, headers, 1234)


def stored(outgoing, offset=0):
    """Return a produced record as it is read from its topic."""
    return Record(
        outgoing.topic, 1, offset, outgoing.key, outgoing.value, outgoing.headers,
        outgoing.timestamp,
    )  # fmt: skip


def letter(record=None, cause=None, offset=0):
    return stored(
        build_dead_letter(record or request(), "s.dlq", cause or NotJson("no"), "X"), offset
    )


def dead_letter(position="s.dlq:1:0", cause="not_json", topic=REQUESTS, timestamp=1, attempts=1):
    return DeadLetter(position, cause, "NotJson", "VALUE_CONVERTER", topic, timestamp, attempts)


def classifier(*redriven, max_attempts=5):
    return LetterClassifier([REQUESTS], set(redriven), max_attempts)


def test_request_of_a_letter_is_unchanged_and_names_its_letter():
    again = build_redriven_request(letter(offset=41))

    assert (again.topic, again.key, again.value) == (REQUESTS, b"k", b"\x00rubbish")
    assert again.timestamp == 1234
    assert dict(again.headers) == {
        "traceparent": b"00-1",
        "empty": None,
        Header.REDRIVE_OF: b"s.dlq:1:41",
        Header.ATTEMPTS: b"2",
    }


def test_request_of_a_letter_without_value_has_no_value():
    assert build_redriven_request(letter(request(value=None))).value is None


def test_request_that_fails_again_counts_attempts_and_names_its_newest_letter():
    record = request()
    for attempt in range(1, 5):
        failed = letter(record, offset=attempt)
        assert read_dead_letter(failed).attempts == attempt
        assert (read_dead_letter(failed).cause, read_dead_letter(failed).topic) == (
            "not_json",
            REQUESTS,
        )
        record = stored(build_redriven_request(failed))

    names = [name for name, _ in record.headers]
    assert read_attempts(record) == 5
    assert record.header(Header.REDRIVE_OF) == b"s.dlq:1:4"
    assert len(names) == len(set(names)) == 4, "no header is repeated"


def test_letters_of_first_and_later_attempts_are_one_group():
    first = letter(offset=1)
    second = letter(stored(build_redriven_request(first)), offset=2)

    (group,) = group_letters(map(read_dead_letter, (first, second)), classifier(first.position))

    assert (group.letters, group.redriven, group.due) == (2, 1, 1)


@pytest.mark.parametrize("text", [None, b"", b"-3", b"0", b"many", b"9" * 5000, b"\xb2"])
def test_invalid_attempts_header_counts_as_a_first_attempt(text):
    assert read_attempts(request(headers=((Header.ATTEMPTS, text),))) == 1


def test_letter_without_a_cause_is_listed_and_not_sent_back():
    found = read_dead_letter(Record("s.dlq", 0, 3, None, None))

    assert (found.cause, found.topic) == ("unknown", "")
    assert classifier().classify(found) is LetterState.FOREIGN


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (dead_letter(), LetterState.DUE),
        (dead_letter(position="s.dlq:0:9"), LetterState.REDRIVEN),
        (dead_letter(attempts=4), LetterState.DUE),
        (dead_letter(attempts=5), LetterState.EXHAUSTED),
        (dead_letter(position="s.dlq:0:9", attempts=5), LetterState.REDRIVEN),
        (dead_letter(topic="payments"), LetterState.FOREIGN),
    ],
)
def test_letter_is_due_unless_redriven_exhausted_or_foreign(found, state):
    assert classifier("s.dlq:0:9").classify(found) is state


def test_letters_are_grouped_by_cause_with_their_oldest_and_newest_times():
    causes = [NotJson("a"), RecordTooLarge(9, 1), NotJson("b")]
    letters = [letter(request()._replace(timestamp=n), cause) for n, cause in enumerate(causes)]

    first, second = group_letters(map(read_dead_letter, letters), classifier())

    assert (first.cause, first.letters, first.first, first.last) == ("not_json", 2, 0, 2)
    assert (second.cause, second.letters, second.stage) == ("too_large", 1, "X")


def test_filter_matches_a_cause_by_code_or_class_and_a_letter_by_position():
    found = dead_letter()

    assert LetterFilter().matches(found)
    assert LetterFilter(cause="not_json").matches(found)
    assert LetterFilter(cause="NotJson").matches(found)
    assert not LetterFilter(cause="too_large").matches(found)
    assert LetterFilter(position="s.dlq:1:0").matches(found)
    assert not LetterFilter(position="s.dlq:1:1").matches(found)
    assert not LetterFilter(cause="too_large", position="s.dlq:1:0").matches(found)


def test_oldest_time_of_each_topic_is_never_negative():
    letters = [
        dead_letter(timestamp=5),
        dead_letter(timestamp=3),
        dead_letter(topic="t", timestamp=-1),
    ]

    assert oldest_by_topic(letters) == {REQUESTS: 3, "t": 0}


def test_cause_headers_are_on_the_letter_and_not_on_its_request():
    assert read_cause(letter())["exception.message"]
    assert read_cause(stored(build_redriven_request(letter()))) == {}
