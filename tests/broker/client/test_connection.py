"""Client settings."""

from modstream.broker.client.connection import Connection, consumer_config


def test_an_installation_can_override_the_timeouts_of_a_group_member():
    options = {"session.timeout.ms": "4000"}

    config = consumer_config(Connection("localhost:9092", options), "client", "group")

    assert config["session.timeout.ms"] == "4000"
