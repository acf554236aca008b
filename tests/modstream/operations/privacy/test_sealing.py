"""Requests that clients seal, and keys that open them until they are destroyed."""

import json

import pytest

from modstream.broker.errors import PersonalInTensors, SealBroken
from modstream.broker.wire.records import Record
from modstream.broker.wire.sealed import Seal, is_sealed
from modstream.operations.privacy.byte_search import CHUNK_BYTES, count_in_bytes
from modstream.operations.privacy.person_keys import PersonKeys
from modstream.operations.privacy.sealing import RequestSealer, request_sealer
from modstream.operations.privacy.search import count_openable
from modstream.processors.predict.personal_settings import PersonalSettings
from modstream.settings import Settings

MAIL = "anna@mail.example.org"


@pytest.fixture
def keys(tmp_path):
    return PersonKeys.of_home(tmp_path)


@pytest.fixture
def sealer(keys):
    return RequestSealer(keys, frozenset({"mail", "phone"}))


def sealed(sealer, document, person="anna"):
    return json.loads(sealer.person(person).value(json.dumps(document).encode()))


def test_only_personal_features_are_sealed_once_and_under_a_pseudonym(sealer, keys):
    row = {"x": 1, "mail": MAIL, "phone": None}

    made = sealed(sealer, {"id": "r", "features": [row, {"x": 2}]})

    assert (made["id"], made["features"][1]) == ("r", {"x": 2})
    first = made["features"][0]
    assert (first["x"], first["phone"], is_sealed(first["mail"])) == (1, None, True)
    person = sealer.person("anna")
    assert (person.key, sealer.person("bob").key) != ("anna", person.key)
    assert person.key == sealer.person("anna").key
    secret = keys.find([person.key])[person.key]
    assert Seal(secret).open_field("mail", first["mail"]) == MAIL
    assert sealed(sealer, made) == made


def test_a_request_without_personal_features_stays_as_it_is(sealer):
    value = b'{"id": "r",  "features": {"x": 1}}'
    assert sealer.person("anna").value(value) is value


def test_tensors_of_personal_features_are_refused(sealer):
    document = {"id": "r", "inputs": [{"name": "mail", "data": [MAIL]}]}
    value = json.dumps(document).encode()

    with pytest.raises(PersonalInTensors, match="mail"):
        sealer.person("anna").value(value + b"raw", len(value))


def test_a_destroyed_key_is_found_by_neither_name(sealer, keys, tmp_path):
    alias = sealer.person("anna").key
    other = sealer.person("bob").key
    secret = keys.find([alias])[alias]
    record = Record(
        "t", 0, 0, b"k", json.dumps(sealed(sealer, {"features": {"mail": MAIL}})).encode()
    )
    assert count_openable(record, (Seal(secret),)) == 1

    assert keys.known_alias("anna") == alias
    assert keys.destroy("anna")

    assert keys.find(["anna", alias]) == {}
    assert keys.known_alias("anna") is None
    assert keys.has("bob")
    assert keys.has(other)
    assert secret not in (tmp_path / "keys" / "persons.sqlite").read_bytes()
    assert not keys.destroy("anna")
    field = json.loads(record.value)["features"]["mail"]
    again = sealer.person("anna").seal
    with pytest.raises(SealBroken):
        again.open_field("mail", field)
    assert sealer.person("anna").key != alias


def test_a_sealed_record_is_counted_only_with_its_key():
    own, other = Seal(b"a" * 32), Seal(b"b" * 32)
    record = Record("t", 0, 0, None, own.record(b"anna"))

    assert [count_openable(record, (one,)) for one in (own, other)] == [1, 0]
    assert count_openable(Record("t", 0, 0, None, b'{"a": "b"}'), (own,)) == 0


def test_finding_persons_makes_no_keys(keys, tmp_path):
    assert keys.find(["anna"]) == {}
    assert not (tmp_path / "keys").exists()


def test_settings_say_whether_requests_are_sealed(tmp_path):
    features = {"mail": "pseudonymise"}
    plain = Settings(home=tmp_path, personal=PersonalSettings(features))

    assert request_sealer(plain) is None
    assert request_sealer(Settings(home=tmp_path, personal=PersonalSettings(seal=True))) is None
    sealing = Settings(home=tmp_path, personal=PersonalSettings(features, seal=True))
    assert request_sealer(sealing).names == {"mail"}


def test_protections_are_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("MODSTREAM_PERSONAL__FEATURES", '{"age": "generalise=10"}')

    assert Settings().personal.protections["age"].size == 10


def test_texts_are_found_in_the_bytes_of_files(tmp_path):
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "0.log").write_bytes(b"\xff\x00ANNA@mail.example.org\x01anna@mail")
    (tmp_path / "dump.rdb").write_bytes(json.dumps("Ånn\tä").encode() * 2)
    (tmp_path / "empty").touch()

    found = count_in_bytes(tmp_path, [MAIL, "Ånn\tä"])

    assert {path.name: count for path, count in found.items()} == {"0.log": 1, "dump.rdb": 2}
    assert count_in_bytes(tmp_path, []) == {}


@pytest.mark.parametrize("at", [0, 5, 99, CHUNK_BYTES - 10, CHUNK_BYTES, 3 * CHUNK_BYTES - 1])
def test_a_text_is_found_once_wherever_it_is_in_a_file(tmp_path, at):
    (tmp_path / "a.log").write_bytes(b"\0" * at + MAIL.encode() + b"\0" * CHUNK_BYTES)

    assert list(count_in_bytes(tmp_path, [MAIL, "anna@mail"]).values()) == [2]
