"""Client settings."""

import pytest

from modstream.broker.client.connection import (
    Connection,
    consumer_config,
    producer_config,
    transactional_config,
)


def test_an_installation_can_override_the_timeouts_of_a_group_member():
    options = {"session.timeout.ms": "4000"}

    config = consumer_config(Connection("localhost:9092", options), "client", "group")

    assert config["session.timeout.ms"] == "4000"


def test_records_are_written_so_that_every_client_reads_them():
    """Kafkajs has no decompressor but that of gzip."""
    for config in (producer_config, transactional_config):
        assert config(Connection("localhost:9092"), "client")["compression.type"] == "none"


@pytest.mark.parametrize(
    ("compression", "level"), [("none", None), ("gzip", 1), ("lz4", None), ("zstd", None)]
)
def test_an_installation_chooses_the_compression(compression, level):
    config = producer_config(Connection("localhost:9092", {}, compression), "client")

    assert config["compression.type"] == compression
    assert config.get("compression.level") == level
