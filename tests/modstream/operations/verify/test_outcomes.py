"""Decoding of the records that leave a stream."""

from modstream.broker.errors import NotJson
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import ErrorResponse, Prediction, Request, SourcePosition
from modstream.broker.wire.dead_letters import build_dead_letter
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.operations.verify.outcomes import Outcome, PartitionOffset, decode_outcome

TOPICS = Topics("echoes", "t.")
SOURCE = SourcePosition(topic=TOPICS.requests, partition=2, offset=7)
HOME = (TOPICS.predictions, 2, 11)


def seen(value, kind=b"prediction"):
    return decode_outcome(Record(*HOME, b"k", value, (("modstream-kind", kind),)), TOPICS)


def answer(source=SOURCE):
    return Prediction(id="a", model="echo", version=1, outputs={"value": 5.0}, source=source)


def test_prediction_has_its_value_and_the_position_of_its_request():
    expected = Outcome(*HOME, "a", "prediction", "echo", 5.0, PartitionOffset(2, 7))

    assert seen(encode(answer())) == expected


def test_response_to_a_record_of_another_topic_has_no_source():
    foreign = SOURCE.model_copy(update={"topic": "elsewhere"})

    assert seen(encode(answer(foreign))).source is None


def test_error_response_has_no_value():
    error = ErrorResponse(id="a", code="no", message="no", model="echo", source=SOURCE)

    assert seen(encode(error), b"error") == Outcome(
        *HOME, "a", "error", "echo", None, PartitionOffset(2, 7)
    )


def test_record_that_violates_its_contract_has_no_id():
    assert seen(b"rubbish") == Outcome(*HOME, "", "unreadable")


def test_dead_letter_has_the_id_of_its_request_if_it_is_readable():
    for value, name in ((encode(Request(id="a", features={"hash": 1})), "a"), (b"rubbish", "")):
        request = Record(TOPICS.requests, 2, 7, b"k", value)
        letter = build_dead_letter(request, TOPICS.dlq, NotJson("as it is"), "VALUE_CONVERTER")
        record = Record(TOPICS.dlq, 1, 3, letter.key, letter.value, letter.headers)

        found = decode_outcome(record, TOPICS)

        assert (found.id, found.kind, found.source) == (name, "dead letter", PartitionOffset(2, 7))


def test_dead_letter_without_a_readable_position_has_no_source():
    record = Record(TOPICS.dlq, 1, 3, b"k", b"rubbish", (("__connect.errors.offset", b"x"),))

    assert decode_outcome(record, TOPICS).source is None


def test_dead_letter_of_a_label_belongs_to_no_request():
    label = Record(TOPICS.labels, 2, 7, b"k", b'{"id": "r-1"}')
    letter = build_dead_letter(label, TOPICS.dlq, NotJson("as it is"), "VALUE_CONVERTER")

    found = decode_outcome(Record(TOPICS.dlq, 0, 0, *letter[1:]), TOPICS)

    assert (found.id, found.source) == ("", None)
