"""Every login of Kafka, by the clients of all roles: librdkafka's and the joiner's."""

import asyncio
import uuid

import pytest
from aiokafka import AIOKafkaConsumer
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from pydantic import SecretStr

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.probe import list_topics
from modstream.broker.client.reader import read_to_end
from modstream.broker.client.transactional_publisher import TransactionalPublisher
from modstream.broker.errors import LoginRefused
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import TopicSpec
from modstream.processors.join.faust.security import faust_credentials
from tests.producers.gateway.certificates import Authority
from tests.secure.conftest import USER, WAYS
from tests.secure.rights import allow_everything

pytestmark = [pytest.mark.real, pytest.mark.long]

PATIENCE_S = 5.0
"""Time within which a refusal must say its cause."""


@pytest.fixture(scope="module")
def kafka(secured):
    allow_everything(secured.owner, USER)
    return secured


def connection(kafka, mechanism, *, tls, **changes):
    security = kafka.security(mechanism, tls=tls, **changes)
    return Connection(kafka.address(mechanism, tls=tls), security.options())


@pytest.mark.parametrize(("mechanism", "tls"), WAYS)
def test_a_transaction_is_written_and_read(kafka, mechanism, tls):
    login, topic = connection(kafka, mechanism, tls=tls), f"t{uuid.uuid4().hex[:8]}"
    Admin(login).create([TopicSpec(topic, 1)])

    with TransactionalPublisher(login, f"{topic}-writer") as publisher:
        publisher.publish([ProducerRecord(topic, b"key", b"value")])

    assert [record.value for record in read_to_end(login, [topic])] == [b"value"]
    assert asyncio.run(read_one(login, topic)) == b"value"


async def read_one(login, topic):
    """Return the first value as the joiner's client reads it."""
    options = credentials_to_aiokafka_auth(faust_credentials(login.options))
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=login.bootstrap,
        group_id=f"{topic}-group",
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        **options,
    )
    async with consumer:
        return (await asyncio.wait_for(consumer.getone(), 30)).value


WRONG = SecretStr("wrong")
REFUSALS = {
    "PLAIN": ({"password": WRONG, "password_file": None}, "(?i)authentication failed"),
    "SCRAM-SHA-256": ({"password": WRONG, "password_file": None}, "(?i)authentication failed"),
    "SCRAM-SHA-512": ({"username": "nobody"}, "(?i)authentication failed"),
    "OAUTHBEARER": ({"client_secret": WRONG}, "(?i)token"),
}
"""A wrong login of each mechanism, and what the refusal says."""


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("mechanism", REFUSALS)
def test_a_wrong_login_is_refused_at_once_with_its_cause(kafka, mechanism, tls):
    changes, cause = REFUSALS[mechanism]
    login = connection(kafka, mechanism, tls=tls, **changes)

    with pytest.raises(LoginRefused, match=cause) as refused:
        list_topics(login, PATIENCE_S)

    assert "wrong" not in str(refused.value).replace("wrong password", "")


def files_of(paths):
    """Return the settings of a certificate and its key."""
    return dict(zip(("certificate_file", "key_file"), paths, strict=True))


def test_a_certificate_that_the_broker_does_not_trust_is_refused_with_its_cause(kafka, tmp_path):
    foreign = files_of(Authority().write(tmp_path, USER))

    with pytest.raises(LoginRefused, match=r"(?i)certificate|ssl"):
        list_topics(connection(kafka, None, tls=True, **foreign), PATIENCE_S)


def test_an_expired_certificate_is_refused_with_its_cause(kafka, tmp_path):
    files = files_of(kafka.authority.write(tmp_path, USER, days=-1))

    with pytest.raises(LoginRefused, match=r"(?i)expired|certificate"):
        list_topics(connection(kafka, None, tls=True, **files), PATIENCE_S)


def test_a_broker_whose_certificate_is_not_trusted_is_refused_with_its_cause(kafka, tmp_path):
    (tmp_path / "ca.pem").write_bytes(Authority().certificate)

    with pytest.raises(LoginRefused, match=r"(?i)certificate verify failed|broker certificate"):
        list_topics(connection(kafka, "PLAIN", tls=True, ca_file=tmp_path / "ca.pem"), PATIENCE_S)
