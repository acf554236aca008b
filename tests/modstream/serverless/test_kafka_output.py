"""Answers to records, published as a worker writes them."""

import json

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode_response
from modstream.serverless import kafka_output
from modstream.serverless.entry import Function
from modstream.serverless_settings import ServerlessSettings
from tests.modstream.serverless.conftest import GivenContainer, settings_of

KAFKA = ServerlessSettings("flights", "1", source="backup", output="kafka")


@pytest.mark.real
def test_answers_are_published_with_the_position_and_key_of_their_record(
    bootstrap, prefix, tmp_path, read_event
):
    settings = settings_of(tmp_path, bootstrap=bootstrap, prefix=prefix, serverless=KAFKA)
    Admin(settings.connection).create(settings.topic_specs())
    function = Function(GivenContainer(settings))

    results = [function(read_event("msk")) for _ in range(2)]

    assert results == [{"batchItemFailures": []}] * 2
    records = list(read_to_end(settings.connection, [settings.topics().predictions]))
    responses = [decode_response(record) for record in records]
    found = {(one.source.partition, one.source.offset): one for one in responses}
    assert len(records) == 10  # delivered twice, answered twice, under the same ids
    assert {one.id for one in responses} == {
        *("flight-1", "flight-3", "flights.requests:3:7", "flights.requests:3:8"),
        "flights.requests:3:9",
    }
    assert found[0, 15].features == {"distance": 529}
    assert (found[0, 16].code, found[3, 8].code) == ("missing_feature", "not_json")
    first = next(record for record in records if json.loads(record.value)["id"] == "flight-1")
    assert (first.key, first.header("reply-to")) == (b"EWR", b"service-7")
    assert first.header("ce_causationid") == "ä".encode()
    assert first.header("ce_id") == b"flights.requests:0:15:0"


def test_records_whose_answers_are_not_stored_are_delivered_again(
    tmp_path, read_event, monkeypatch
):
    monkeypatch.setattr(kafka_output, "FLUSH_SECONDS", 0.1)
    settings = settings_of(tmp_path, bootstrap="127.0.0.1:1", serverless=KAFKA)

    result = Function(GivenContainer(settings))(read_event("msk"))

    assert [failure["itemIdentifier"]["offset"] for failure in result["batchItemFailures"]] == [
        15,
        7,
    ]
