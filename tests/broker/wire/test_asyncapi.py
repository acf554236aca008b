"""The AsyncAPI document agrees with the contracts, the topics, and AsyncAPI's own schema."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from modstream.broker.wire.asyncapi import BrokerAddress, component_schemas, document, main
from modstream.broker.wire.asyncapi_messages import CHANNELS, MESSAGES
from modstream.broker.wire.json_schemas import CONTRACTS, json_schema
from modstream.broker.wire.topics import PASS_THROUGH, Header, Topics
from tests.broker.wire.test_json_schemas import INVALID, VALID
from tests.foreign_schemas.schemas import read_schema

WRITTEN = Path(__file__).parents[3] / "schemas" / "asyncapi.json"
BROKERS = [BrokerAddress("a:9092"), BrokerAddress("b:9093", is_secure=True)]


def test_the_file_is_that_of_the_contracts(tmp_path):
    """`make schemas` writes it."""
    main(str(tmp_path / "new.json"))

    assert (tmp_path / "new.json").read_text() == WRITTEN.read_text()


@pytest.fixture(scope="module")
def official():
    return Draft7Validator(read_schema("asyncapi-3.0.0.json.gz"))


@pytest.mark.parametrize("arguments", [(), ("team.", ["flights", "bugs"], BROKERS)])
def test_the_document_is_valid_by_the_schema_of_asyncapi(official, arguments):
    found = document("1", *arguments)

    assert list(official.iter_errors(found)) == []
    found["channels"]["requests"]["unknown"] = {}
    assert not official.is_valid(found)


def test_every_reference_leads_to_a_part_of_the_document():
    text = WRITTEN.read_text()
    found = json.loads(text)

    references = {line.split('"')[3] for line in text.splitlines() if '"$ref"' in line}
    assert len(references) > 30
    for reference in references:
        part = found
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]


def test_every_topic_is_a_channel_and_every_contract_a_message_of_one():
    topics = Topics("flights", "team.")
    channels = document("1", "team.", ["flights"])["channels"]

    addresses = {one["address"].replace("{stream}", "flights") for one in channels.values()}
    assert addresses == {spec.name for spec in topics.specs(1, log_days=1)}
    used = {message for channel in CHANNELS for message in channel.messages}
    assert used == MESSAGES.keys()
    assert {spec.contract for spec in MESSAGES.values()} - {None} == CONTRACTS.keys()


def test_every_header_is_that_of_a_message():
    described = {header for spec in MESSAGES.values() for header in spec.headers}

    assert set(Header) | PASS_THROUGH <= described


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_component_accepts_what_the_schema_of_its_contract_accepts(name):
    schemas = component_schemas()
    components = {"components": {"schemas": schemas}}
    validator = Draft202012Validator({"$ref": f"#/components/schemas/{name}", **components})
    original = Draft202012Validator(json_schema(name))

    for one in (*VALID, *INVALID):
        assert validator.is_valid(one) == original.is_valid(one)
    if name == "request":
        assert all(map(validator.is_valid, VALID))


def test_streams_and_brokers_are_those_of_the_installation():
    found = document("7", "team.", ["flights"], BROKERS)

    requests = found["channels"]["requests"]
    assert requests["address"] == "team.{stream}.requests"
    assert requests["parameters"]["stream"]["enum"] == ["flights"]
    assert [one["protocol"] for one in found["servers"].values()] == ["kafka", "kafka-secure"]
    assert "servers" not in document("7")
