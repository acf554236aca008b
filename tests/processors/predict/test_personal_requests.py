"""Personal features in requests: what models get and topics have, and what is refused."""

import json
from base64 import b64encode

import pytest

from modstream.broker.errors import PersonalInTensors, SealBroken
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.dead_letters import build_redriven_request
from modstream.broker.wire.record_limits import RecordLimits
from modstream.broker.wire.records import Record
from modstream.broker.wire.sealed import PREFIX_BYTES, Seal
from modstream.broker.wire.topics import Header
from modstream.models.errors import PersonalUnprotected
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.personal import pseudonym
from modstream.processors.predict.handler import request_handler
from modstream.processors.predict.personal_requests import PersonalFeatures, ProtectRequests
from modstream.processors.predict.personal_settings import PersonalSettings
from modstream.processors.predict.sealed_letters import SealedLetters
from modstream.processors.predict.settings import InferenceSettings
from modstream.processors.predict.steps import Decode
from tests.processors.predict.handlers import TOPICS
from tests.processors.small_fixtures import (
    StubModelProvider,
    decode_responses,
    make_card,
    make_record,
    river_model,
)

MAIL = "anna.canary@mail.example.org"
RULES = PersonalSettings({"city": "pseudonymise", "x": "generalise=10", "note": "drop"})
TENSOR = {"name": "city", "shape": [1], "datatype": "BYTES", "data": [MAIL]}
MATRIX = {"name": "rows", "shape": [1, 2], "datatype": "FP32", "data": [1.0, 2.0]}
EVENT = {"specversion": "1.0", "id": "e", "source": "shop", "type": "t"}
STRUCTURED = (("content-type", b"application/cloudevents+json"),)
BINARY = tuple((f"ce_{name}", value.encode()) for name, value in EVENT.items())


class MemorySecrets:
    """The secrets of persons; each is made of its name."""

    def __init__(self):
        self.known = {}

    def of(self, persons):
        return {one: self.known.setdefault(one, one.encode().rjust(32)) for one in persons}

    def find(self, persons):
        return {one: self.known[one] for one in persons if one in self.known}


@pytest.fixture
def secrets():
    return MemorySecrets()


@pytest.fixture
def answer(secrets):
    """Return a function that answers records on a stream with personal features."""
    personal = PersonalFeatures(RULES.protections, secrets)
    provider = StubModelProvider({"m": river_model()})
    settings = InferenceSettings(("m",))
    handle = request_handler(TOPICS, provider, settings, personal=personal)
    sealing = SealedLetters(handle, TOPICS.dlq, secrets, RecordLimits())

    def run(*values, headers=(), key=b"anna"):
        batch = [make_record(one, at, key, headers) for at, one in enumerate(values)]
        records = sealing(batch).records
        assert MAIL.encode() not in b"".join(one.value for one in records)
        return records

    return run


def features_of(records):
    return [one.features for one in decode_responses(records)]


def request(city=MAIL, **fields):
    return encode(Request(**{"id": "r", "features": {"x": 37.5, "city": city}, **fields}))


def name_of(secrets, value=MAIL, person="anna"):
    return pseudonym(secrets.of([person])[person], "city", value)


def stored(produced, offset=9):
    return Record(produced.topic, 0, offset, produced.key, produced.value, produced.headers)


def test_without_personal_features_the_steps_are_the_same():
    provider, settings = StubModelProvider({}), InferenceSettings(("m",))
    plain = request_handler(TOPICS, provider, settings)._steps
    personal = PersonalFeatures(RULES.protections, MemorySecrets())
    protecting = request_handler(TOPICS, provider, settings, personal=personal)._steps

    assert type(plain[0]) is Decode
    assert type(protecting[0]) is ProtectRequests
    assert list(map(type, plain[1:])) == list(map(type, protecting[1:]))


def test_predictions_have_pseudonyms_and_classes_instead_of_values(answer, secrets):
    found = features_of(answer(request(), request(), request("bob")))

    assert found == [
        {"x": 30.0, "city": name_of(secrets)},
        {"x": 30.0, "city": name_of(secrets)},
        {"x": 30.0, "city": name_of(secrets, "bob")},
    ]


def test_several_rows_and_rows_with_other_features_are_protected(answer, secrets):
    rows = ({"x": 1.0, "city": MAIL, "note": MAIL}, {"x": 11.0, "city": "bob"})

    (found,) = features_of(answer(request(features=rows)))

    assert found == (
        {"x": 0.0, "city": name_of(secrets)},
        {"x": 10.0, "city": name_of(secrets, "bob")},
    )


def test_a_request_without_key_is_that_of_its_id(answer, secrets):
    (found,) = features_of(answer(request(), key=None))

    assert found["city"] == name_of(secrets, person="r")


@pytest.mark.parametrize(
    "row", [{"x": 37.5, "city": MAIL}, {"features": {"x": 37.5, "city": MAIL}}]
)
@pytest.mark.parametrize("mode", ["data", "text", "base64", "binary"])
def test_requests_in_events_are_protected(answer, secrets, row, mode):
    data = json.dumps(row)
    values = {
        "data": json.dumps({**EVENT, "data": row}),
        "text": json.dumps({**EVENT, "data": data}),
        "base64": json.dumps({**EVENT, "data_base64": b64encode(data.encode()).decode()}),
        "binary": data,
    }
    headers = BINARY if mode == "binary" else STRUCTURED

    (found,) = features_of(answer(values[mode].encode(), headers=headers))

    assert found["x"] == 30.0
    assert found["city"] in {name_of(secrets), name_of(secrets, person="e")}


def test_sealed_values_are_opened_for_their_person(answer, secrets):
    seal = Seal(secrets.of(["anna"])["anna"])
    sealed = request(seal.field("city", MAIL))

    assert features_of(answer(sealed)) == features_of(answer(request()))
    assert MAIL.encode() not in sealed


@pytest.mark.parametrize("key", [b"anna", b"bob", b"eve"])
def test_sealed_values_without_their_key_are_refused_and_no_key_is_made(answer, secrets, key):
    sealed = request(Seal(b"a" * 32).field("city", MAIL))
    secrets.of(["bob"])

    (error,) = decode_responses(answer(sealed, key=key))

    assert (error.code, error.id) == (SealBroken.code, "r")
    assert secrets.known.keys() == {"bob"}


def test_the_others_of_a_batch_are_answered(answer, secrets):
    broken = request(Seal(b"a" * 32).field("city", MAIL), id="broken")

    found = decode_responses(answer(request(), broken, b"no json " + MAIL.encode(), request()))

    assert [getattr(one, "code", "answered") for one in found] == [
        "answered",
        SealBroken.code,
        "answered",
    ]


@pytest.mark.parametrize("inputs", [(TENSOR,), (MATRIX,)])
def test_personal_features_in_tensors_are_refused(answer, inputs):
    (error,) = decode_responses(answer(encode(Request(id="r", inputs=inputs))))

    assert error.code == PersonalInTensors.code


@pytest.mark.parametrize(
    "value",
    [
        b"{'city': '%b'}" % MAIL.encode(),
        b'{"features": {"city": "%b"}}' % MAIL.encode(),
        b'["%b"]' % MAIL.encode(),
        b'"%b"' % MAIL.encode(),
        b'{"id": "r", "feature": {"city": "%b"}, "n": %b}' % (MAIL.encode(), b"1" * 5000),
        b'{"a":' * 3000 + b'"%b"' % MAIL.encode() + b"}" * 3000,
        MAIL.encode() + b"\xff\xfe",
        MAIL.encode() * 50_000,
    ],
)
def test_what_is_no_request_becomes_a_sealed_letter_that_can_be_redriven(answer, secrets, value):
    (letter,) = answer(value)

    assert letter.topic == TOPICS.dlq
    if len(value) > RecordLimits().of(TOPICS.dlq):  # it is cut; the original is redriven
        assert letter.value == b""
        return
    assert Seal(secrets.known["anna"]).open_record(letter.value) == value
    again = build_redriven_request(stored(letter))
    (second,) = answer(again.value, headers=again.headers)
    assert (second.topic, dict(second.headers)[Header.ATTEMPTS]) == (TOPICS.dlq, b"2")
    assert second.value == again.value


def test_a_redriven_request_is_answered_as_it_would_have_been(answer, secrets):
    whole = Seal(secrets.of(["anna"])["anna"]).record(request())
    headers = ((Header.SEALED_FOR.value, b"anna"),)

    assert features_of(answer(whole, headers=headers)) == features_of(answer(request()))

    del secrets.known["anna"]
    (letter,) = answer(whole, headers=headers)
    assert (letter.topic, letter.value) == (TOPICS.dlq, whole)
    assert letter.value.startswith(PREFIX_BYTES)


def test_a_letter_without_key_and_id_is_sealed_for_its_position(answer, secrets):
    (letter,) = answer(b"no json", key=None)

    person = dict(letter.headers)[Header.SEALED_FOR].decode()
    assert person == "s.requests:2:0"
    assert Seal(secrets.known[person]).open_record(letter.value) == b"no json"


@pytest.mark.parametrize(
    ("mark", "is_protected"),
    [(None, True), ("pseudonymise", True), ("shorten=2", False)],
)
def test_a_version_serves_if_its_stream_protects_what_it_marks(mark, is_protected):
    schema = InputSchema(features=(Feature(name="city", kind="string", personal=mark),))

    if is_protected:
        RULES.require(make_card(schema=schema))
    else:
        with pytest.raises(PersonalUnprotected, match=r"city.*shorten=2.*'pseudonymise'"):
            RULES.require(make_card(schema=schema))


@pytest.mark.parametrize("features", [{"a": "hide"}, {"": "drop"}, {"a": "generalise"}])
def test_settings_with_another_protection_are_refused(features):
    with pytest.raises(ValueError, match=r"none of|needs a name"):
        PersonalSettings(features)
