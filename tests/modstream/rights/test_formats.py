"""The rights of roles, as the tools that grant them take them."""

import json

import pytest

from modstream.rights.formats import FORMATS, Format, kafka_acls, redis_user, strimzi
from modstream.rights.rights import Role, rights_of
from modstream.settings import load_settings

PREFIXED = "--resource-pattern-type prefixed"


@pytest.fixture
def settings():
    return load_settings(stream="flights", prefix="acme.")


def test_each_resource_is_a_command_of_kafka_acls(settings):
    lines = kafka_acls(rights_of(Role.WORKER, settings), "w").splitlines()

    add = "kafka-acls --add --allow-principal User:w"
    assert lines == [
        f"{add} --operation Read --topic acme.flights.requests",
        f"{add} --operation Read --topic acme.flights.features",
        *(
            f"{add} --operation Write --operation DescribeConfigs --topic acme.flights.{name}"
            for name in ("predictions", "version-markers")
        ),
        (
            f"{add} --operation Read --operation Write --operation DescribeConfigs"
            " --topic acme.flights.dlq"
        ),
        f"{add} --operation Read --group acme.flights.worker",
        f"{add} --operation Write --transactional-id acme.flights.worker- {PREFIXED}",
        f"{add} --operation Describe --group acme.modstream",
    ]


def test_a_user_of_strimzi_has_the_same_rights(settings):
    user = json.loads(strimzi(rights_of(Role.LABELLER, settings), "labels"))

    assert (user["kind"], user["metadata"]["name"]) == ("KafkaUser", "labels")
    assert user["spec"]["authorization"]["acls"] == [
        {
            "resource": {
                "type": "topic", "name": "acme.flights.labels", "patternType": "literal"
            },
            "operations": ["Write"],
        },
        {
            "resource": {"type": "group", "name": "acme.modstream", "patternType": "literal"},
            "operations": ["Describe"],
        },
    ]  # fmt: skip


def test_a_worker_reads_in_redis_and_a_learner_writes(settings):
    reader = redis_user(rights_of(Role.WORKER, settings), "w")
    writer = redis_user(rights_of(Role.LEARNER, settings), "l")

    assert reader.startswith("user w on >PASSWORD %R~acme.modstream:* &acme.modstream:* -@all ")
    assert writer.startswith("user l on >PASSWORD ~acme.modstream:* &acme.modstream:* -@all ")
    assert "+publish" not in reader
    assert "@write" not in reader
    assert redis_user(rights_of(Role.JOINER, settings), "j") == ""


def test_the_log_of_requests_is_written_only_if_there_is_one(settings):
    log = load_settings(stream="flights", inference_log={"enabled": True})
    written = [right.name for right in rights_of(Role.WORKER, log).kafka]

    assert "flights.inferences" in written
    assert "acme.flights.inferences" not in [
        right.name for right in rights_of(Role.WORKER, settings).kafka
    ]


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("written", Format)
def test_every_role_can_be_written_in_every_format(settings, role, written):
    text = FORMATS[written](rights_of(role, settings), "someone")

    assert text == "" or text.endswith("\n")
    assert "*" not in text or written is Format.REDIS
