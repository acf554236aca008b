"""Requests that are CloudEvents, and the events that answer them.

The official SDK of CloudEvents writes the requests and reads the answers.
"""

import json
from datetime import UTC, datetime

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka, to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from modstream.broker.wire.codec import decode_response
from modstream.broker.wire.record_limits import RecordLimits
from modstream.broker.wire.record_size import record_size
from modstream.broker.wire.records import Record
from modstream.processors.predict.deduplication import Deduplicator, read_id
from tests.processors.predict.handlers import GOOD, TOPICS, ask, worker
from tests.processors.small_fixtures import make_record, river_model

NOW = datetime(2026, 11, 29, 12, 30, 1, 250_000, tzinfo=UTC)
ROW = json.dumps(GOOD).encode()
ATTRIBUTES = {"id": "event-1", "source": "/shop", "type": "order.placed"}
MODES = pytest.mark.parametrize("mode", [to_binary, to_structured])


def event(data, mode=to_binary, **attributes):
    """Return a record with an event that the SDK has written; None leaves an attribute out."""
    found = mode(CloudEvent({**ATTRIBUTES, **attributes}, data), JSONFormat())
    return make_record(found.value, headers=tuple(found.headers.items()), key=None)


def raw(headers, value=ROW):
    """Return a record whose headers no SDK would write."""
    required = {"ce_specversion": b"1.0", "ce_id": b"e", "ce_source": b"/s", "ce_type": b"t"}
    chosen = {name: value for name, value in {**required, **headers}.items() if value != b"-"}
    return make_record(value, headers=tuple(chosen.items()), key=None)


def answer(record, **options):
    """Return the only response to a record."""
    (found,) = worker(river_model(), now=NOW.timestamp, **options)([record])
    return found


def read(response):
    """Return a response as the SDK reads it."""
    headers = {name: value for name, value in response.headers if not name.startswith("modstream")}
    return from_kafka(KafkaMessage(headers, response.key, response.value), JSONFormat())


def message(response):
    return decode_response(Record(response.topic, 0, 0, None, response.value, response.headers))


@MODES
@pytest.mark.parametrize(
    "data",
    [GOOD, {"features": GOOD}, {"id": None, "features": GOOD}, {"id": "", "features": GOOD}],
    ids=["row", "no id", "null", "empty"],
)
def test_the_id_of_an_event_is_that_of_its_request_if_its_data_have_none(mode, data):
    response = answer(event(data, mode))

    assert message(response).id == "event-1"
    assert message(response).outputs == message(answer(make_record(ask(features=GOOD)))).outputs
    assert response.key == b"event-1"


@MODES
def test_the_id_in_the_data_comes_first(mode):
    response = answer(event({"id": "mine", "features": GOOD}, mode))

    assert (message(response).id, read(response).get_extension("causationid")) == (
        *("mine", "event-1"),
    )


@MODES
def test_the_answer_is_an_event_of_its_own(mode):
    found = read(answer(event(GOOD, mode, correlationid="order-7", color="red")))

    assert found.get_attributes() == {
        "specversion": "1.0", "id": "s.requests:2:0:0", "source": "/modstream/models/m/versions/1",
        "type": "modstream.prediction", "time": NOW, "datacontenttype": "application/json",
        "causationid": "event-1", "correlationid": "order-7", "partitionkey": "event-1",
    }  # fmt: skip
    assert found.get_data()["model"] == "m"


def test_each_model_of_the_route_answers_by_an_event_with_another_id():
    responses = worker(river_model("m"), river_model("n"))([event(GOOD)])

    found = [(read(one).get_id(), read(one).get_source()) for one in responses]
    assert found == [
        ("s.requests:2:0:0", "/modstream/models/m/versions/1"),
        ("s.requests:2:0:1", "/modstream/models/n/versions/1"),
    ]


def test_an_error_is_an_event_too():
    response = answer(event({"x": "much", "city": "LGA"}))

    found = read(response)
    assert (found.get_type(), found.get_source()) == ("modstream.error", "/modstream/streams/s")
    assert (found.get_data()["code"], found.get_data()["id"]) == ("wrong_type", "event-1")


@pytest.mark.parametrize("always", [False, True])
def test_other_requests_are_answered_by_events_only_if_all_are(always):
    response = answer(make_record(ask(features=GOOD)), answer_events=always)

    assert ("ce_id" in dict(response.headers)) == always
    if always:
        assert read(response).get_extension("causationid") is None


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"ce_specversion": b"-"}, "specversion must be a text"),
        ({"ce_specversion": b"0.3"}, "'0.3', and must be '1.0'"),
        ({"ce_source": b"-"}, "source must be a text"),
        ({"ce_source": None}, "source must be a text"),
        ({"ce_type": b""}, "type must be a text"),
        ({"ce_type": b"\xff"}, "the header ce_type is not UTF-8"),
        ({"content-type": b"application/cloudevents+avro"}, "is not supported"),
        ({"content-type": b"Application/CloudEvents-Batch+JSON; x=y"}, "no single answer"),
    ],
    ids=str,
)
def test_an_invalid_event_gets_a_typed_error(headers, reason):
    found = read(answer(raw(headers)))

    assert found.get_data()["code"] == "contract_violated"
    assert reason in found.get_data()["message"]
    assert found.get_extension("causationid") == "e"


@pytest.mark.parametrize("ce_id", [b"-", b"", None, b"\xff"])
def test_an_event_without_a_readable_id_is_a_dead_letter_with_its_bytes_untouched(ce_id):
    record = raw({"ce_id": ce_id})

    response = answer(record)

    assert (response.topic, response.value) == (TOPICS.dlq, record.value)
    assert response.headers[: len(record.headers)] == record.headers


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"{", "not_json"),
        (b"\xff", "not_json"),
        (None, "not_json"),
        (b'{"features": {"x": ' + b"[" * 30 + b"}}", "not_json"),
        (b" " * 99, "too_large"),
        (b"[1]", "contract_violated"),
        (b'{"id": 7, "features": {}}', "contract_violated"),
    ],
)
def test_data_that_are_no_request_get_a_typed_error_under_the_id_of_the_event(value, code):
    found = message(answer(raw({}, value), max_request_bytes=98))

    assert (found.id, found.code) == ("e", code)


@pytest.mark.parametrize(
    "document",
    [b"{", b"[]", b"\xff", b'{"specversion": "1.0"}', b'{"id": 7}', b"[" * 100_000, None],
    ids=lambda value: str(value)[:20],
)
def test_a_structured_event_that_cannot_be_read_is_a_dead_letter(document):
    headers = (("Content-Type", b"application/cloudevents+json; charset=utf-8"),)

    assert answer(make_record(document, headers=headers)).topic == TOPICS.dlq


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({}, "neither data nor data_base64"), ({"data_base64": "?"}, "not base64")],
)
def test_a_structured_event_without_data_gets_a_typed_error(fields, reason):
    document = json.dumps({**ATTRIBUTES, "specversion": "1.0", **fields}).encode()
    headers = (("content-type", b"application/cloudevents+json"),)

    found = message(answer(make_record(document, headers=headers)))

    assert found.id == "event-1"
    assert reason in found.message


def test_the_last_header_of_a_name_counts_whatever_its_case():
    record = raw({})
    repeated = record._replace(headers=(*record.headers, ("Ce_Id", b"last")))

    assert message(answer(repeated)).id == "last"


def test_long_texts_of_an_event_are_not_repeated():
    attributes = {"ce_id": b"x" * 1_000_000, "ce_source": b"y" * 1_000_000}
    others = {f"ce_{number}": b"z" * 99_000 for number in range(100)}
    record = raw({**attributes, **others, "ce_traceparent": b"t" * 600})

    response = answer(record)

    assert len(message(response).id) == 64
    assert record_size(response) < 2_000


def test_tensors_may_be_raw_bytes_behind_the_json():
    plain = {"features": GOOD}
    document = json.dumps(plain).encode()
    length = {"inference-header-content-length": str(len(document)).encode()}

    found = message(answer(raw(length, document + b"tail")))

    assert (found.id, found.code) == ("e", "contract_violated")
    assert "raw bytes follow the JSON" in found.message


def dedup(read_back=lambda _: ()):
    return Deduplicator(100, read_back, lambda _: 1)


@MODES
def test_an_event_that_is_sent_twice_is_answered_once(mode):
    records = [event(GOOD, mode), event(GOOD, mode)._replace(offset=1)]

    assert len(worker(river_model(), deduplicator=dedup())(records)) == 1


@MODES
def test_an_event_is_a_duplicate_of_one_that_another_worker_has_answered(mode):
    handle = worker(river_model(), deduplicator=dedup(lambda _: [event(GOOD, mode)]))

    assert handle([event(GOOD, mode)._replace(offset=1)]) == []


def test_events_of_two_sources_with_one_id_are_two_requests():
    records = [event(GOOD), event(GOOD, source="/other")._replace(offset=1)]

    responses = worker(river_model(), deduplicator=dedup())(records)

    assert [message(one).id for one in responses] == ["event-1", "event-1"]


def test_the_id_of_an_event_is_read_back():
    assert read_id(event(GOOD)) == "event-1"
    assert read_id(event({"id": "mine", "features": GOOD}, to_structured)) == "mine"


def test_an_answer_that_is_too_large_with_its_attributes_is_an_error():
    data = {"x": 1.5, "city": "L" * 2000}
    plain = answer(make_record(ask(id="event-1", features=data), key=None))
    limits = RecordLimits({TOPICS.predictions: record_size(plain) + 10})

    found = read(answer(event(data), limits=limits))

    assert found.get_type() == "modstream.error"
    assert (found.get_data()["code"], found.get_data()["model"]) == ("answer_too_large", "m")
    assert found.get_data()["id"] == "event-1"
