"""Dead letters and the way back: which go, as what, and how they keep counting."""

import pytest

from modstream.broker.errors import NotJson, RecordTooLarge
from modstream.broker.wire.dead_letters import attempts_of, cause_of, dead_letter, redriven
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header
from modstream.processors.redrive.selection import (
    Choice,
    Letter,
    Sorter,
    State,
    grouped,
    letter_of,
    oldest,
)

REQUESTS = "s.requests"


def request(value=b"\x00rubbish", headers=(("traceparent", b"00-1"), ("empty", None)), offset=7):
    return Record(REQUESTS, 2, offset, b"k", value, headers, 1234)


def lying(outgoing, offset=0):
    """An outgoing record as it lies in its topic."""
    return Record(
        outgoing.topic, 1, offset, outgoing.key, outgoing.value, outgoing.headers,
        outgoing.timestamp,
    )  # fmt: skip


def letter(record=None, cause=None, offset=0):
    return lying(dead_letter(record or request(), "s.dlq", cause or NotJson("no"), "X"), offset)


def fact(place="s.dlq:1:0", cause="not_json", topic=REQUESTS, timestamp=1, attempts=1):
    return Letter(place, cause, "NotJson", "VALUE_CONVERTER", topic, timestamp, attempts)


def sorter(*sent, most_attempts=5):
    return Sorter([REQUESTS], set(sent), most_attempts)


def test_a_letter_goes_back_as_it_came_and_says_where_it_was():
    again = redriven(letter(offset=41))

    assert (again.topic, again.key, again.value) == (REQUESTS, b"k", b"\x00rubbish")
    assert again.timestamp == 1234
    assert dict(again.headers) == {
        "traceparent": b"00-1",
        "empty": None,
        Header.REDRIVE_OF: b"s.dlq:1:41",
        Header.ATTEMPTS: b"2",
    }


def test_a_tombstone_goes_back_as_a_tombstone():
    assert redriven(letter(request(value=None))).value is None


def test_a_request_that_fails_again_keeps_counting_and_names_its_newest_letter():
    record = request()
    for attempt in range(1, 5):
        failed = letter(record, offset=attempt)
        assert letter_of(failed).attempts == attempt
        assert (letter_of(failed).cause, letter_of(failed).topic) == ("not_json", REQUESTS)
        record = lying(redriven(failed))

    names = [name for name, _ in record.headers]
    assert attempts_of(record) == 5
    assert record.header(Header.REDRIVE_OF) == b"s.dlq:1:4"
    assert len(names) == len(set(names)) == 4, "no header is there twice"


def test_letters_of_first_and_later_attempts_are_one_group():
    first = letter(offset=1)
    second = letter(lying(redriven(first)), offset=2)

    (group,) = grouped(map(letter_of, (first, second)), sorter(first.place))

    assert (group.letters, group.redriven, group.due) == (2, 1, 1)


@pytest.mark.parametrize("text", [None, b"", b"-3", b"0", b"many", b"9" * 5000, b"\xb2"])
def test_an_attempts_header_that_is_no_count_counts_as_a_first_attempt(text):
    assert attempts_of(request(headers=((Header.ATTEMPTS, text),))) == 1


def test_a_letter_without_any_cause_is_listed_and_stays_where_it_is():
    found = letter_of(Record("s.dlq", 0, 3, None, None))

    assert (found.cause, found.topic) == ("unknown", "")
    assert sorter().state(found) is State.FOREIGN


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (fact(), State.DUE),
        (fact(place="s.dlq:0:9"), State.REDRIVEN),
        (fact(attempts=4), State.DUE),
        (fact(attempts=5), State.EXHAUSTED),
        (fact(place="s.dlq:0:9", attempts=5), State.REDRIVEN),
        (fact(topic="payments"), State.FOREIGN),
    ],
)
def test_a_letter_is_due_unless_it_was_sent_or_tried_too_often_or_is_not_ours(found, state):
    assert sorter("s.dlq:0:9").state(found) is state


def test_letters_are_grouped_by_cause_with_the_times_of_the_first_and_last():
    causes = [NotJson("a"), RecordTooLarge(9, 1), NotJson("b")]
    letters = [letter(request()._replace(timestamp=n), cause) for n, cause in enumerate(causes)]

    first, second = grouped(map(letter_of, letters), sorter())

    assert (first.cause, first.letters, first.first, first.last) == ("not_json", 2, 0, 2)
    assert (second.cause, second.letters, second.stage) == ("too_large", 1, "X")


def test_a_cause_is_chosen_by_its_code_or_its_class_and_a_letter_by_its_place():
    found = fact()

    assert Choice().means(found)
    assert Choice(cause="not_json").means(found)
    assert Choice(cause="NotJson").means(found)
    assert not Choice(cause="too_large").means(found)
    assert Choice(letter="s.dlq:1:0").means(found)
    assert not Choice(letter="s.dlq:1:1").means(found)
    assert not Choice(cause="too_large", letter="s.dlq:1:0").means(found)


def test_the_search_for_what_was_sent_begins_at_the_oldest_letter_of_each_topic():
    letters = [fact(timestamp=5), fact(timestamp=3), fact(topic="t", timestamp=-1)]

    assert oldest(letters) == {REQUESTS: 3, "t": 0}


def test_the_cause_goes_with_the_letter_and_not_with_its_request():
    assert cause_of(letter())["exception.message"]
    assert cause_of(lying(redriven(letter()))) == {}
