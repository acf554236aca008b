"""The check whether a cluster answers."""

import socket
from time import monotonic

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.probe import list_topics
from modstream.broker.errors import BrokerUnavailable, InvalidClientSettings
from modstream.broker.wire.topics import TopicSpec

TIMEOUT = 30


@pytest.mark.real
def test_the_topics_of_a_cluster_are_listed_even_if_one_of_its_addresses_is_dead(bootstrap, prefix):
    Admin(Connection(bootstrap)).create([TopicSpec(f"{prefix}a", 1)])

    assert f"{prefix}a" in list_topics(Connection(bootstrap), TIMEOUT)
    assert f"{prefix}a" in list_topics(Connection(f"127.0.0.1:1,{bootstrap}"), TIMEOUT)


def test_refused_connections_are_noticed_long_before_the_timeout(caplog, capfd):
    start = monotonic()

    with pytest.raises(BrokerUnavailable) as caught:
        list_topics(Connection("127.0.0.1:1,127.0.0.1:2"), TIMEOUT)

    assert caught.value.reason == "connection refused"
    assert monotonic() - start < TIMEOUT / 3
    assert (caplog.records, capfd.readouterr().err) == ([], "")


def test_a_server_that_does_not_answer_is_given_up_at_the_timeout():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"

        with pytest.raises(BrokerUnavailable) as caught:
            list_topics(Connection(address), 0.5)

    assert caught.value.reason == "no answer"


def test_an_unknown_option_is_named():
    with pytest.raises(InvalidClientSettings, match=r"sasl\.mechanim"):
        list_topics(Connection("127.0.0.1:1", {"sasl.mechanim": "PLAIN"}), TIMEOUT)
