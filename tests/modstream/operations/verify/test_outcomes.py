"""What a witness reads from the records that leave a stream."""

from modstream.broker.errors import NotJson
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import ErrorAnswer, Prediction, Request, Source
from modstream.broker.wire.dead_letters import dead_letter
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.operations.verify.outcomes import Place, Sighting, sighting

TOPICS = Topics("echoes", "t.")
SOURCE = Source(topic=TOPICS.requests, partition=2, offset=7)
HOME = (TOPICS.predictions, 2, 11)


def seen(value, kind=b"prediction"):
    return sighting(Record(*HOME, b"k", value, (("modstream-kind", kind),)), TOPICS)


def answer(source=SOURCE):
    return Prediction(id="a", model="echo", version=1, outputs={"value": 5.0}, source=source)


def test_a_prediction_is_seen_with_its_value_and_the_place_of_its_request():
    expected = Sighting(*HOME, "a", "prediction", "echo", 5.0, Place(2, 7))

    assert seen(encode(answer())) == expected


def test_an_answer_to_a_record_of_another_topic_has_no_place():
    foreign = SOURCE.model_copy(update={"topic": "elsewhere"})

    assert seen(encode(answer(foreign))).source is None


def test_an_error_answer_has_no_value():
    error = ErrorAnswer(id="a", code="no", message="no", model="echo", source=SOURCE)

    assert seen(encode(error), b"error") == Sighting(*HOME, "a", "error", "echo", None, Place(2, 7))


def test_a_record_that_breaks_its_contract_is_seen_without_an_id():
    assert seen(b"rubbish") == Sighting(*HOME, "", "unreadable")


def test_a_dead_letter_is_seen_with_the_id_of_its_request_where_one_is_legible():
    for value, name in ((encode(Request(id="a", features={"hash": 1})), "a"), (b"rubbish", "")):
        request = Record(TOPICS.requests, 2, 7, b"k", value)
        letter = dead_letter(request, TOPICS.dlq, NotJson("as it is"), "VALUE_CONVERTER")
        record = Record(TOPICS.dlq, 1, 3, letter.key, letter.value, letter.headers)

        found = sighting(record, TOPICS)

        assert (found.id, found.kind, found.source) == (name, "dead letter", Place(2, 7))


def test_a_dead_letter_without_a_legible_place_has_none():
    record = Record(TOPICS.dlq, 1, 3, b"k", b"rubbish", (("__connect.errors.offset", b"x"),))

    assert sighting(record, TOPICS).source is None
