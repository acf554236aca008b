"""Every role with exactly its rights: all of its work is done, and nothing else is permitted."""

import re
import uuid
from time import monotonic, sleep

import httpx
import pytest
import redis
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)
from pydantic import SecretStr

from modstream.broker.client.connection import Connection, client_config
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.client.transactional_publisher import TransactionalPublisher
from modstream.broker.errors import BrokerError, RightMissing, TopicMissing
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Label
from modstream.broker.wire.records import ProducerRecord
from modstream.features.definitions import open_definitions
from modstream.processors.conformal.settings import ServedSetSettings
from modstream.redis_security import RedisSecurity
from modstream.rights.check import DEEDS, require_rights
from modstream.rights.rights import Rights, Role, rights_of
from modstream.stack.embedded import EmbeddedRedis, EmbeddedServer
from modstream.stack.embedded.ports import free_port
from tests.journeys.conftest import TIMEOUT_SECONDS, open_system, with_route
from tests.secure.conftest import PASSWORD
from tests.secure.learned_model import ROWS, publish, wait_until_learned
from tests.secure.rights import grant, grant_redis, revoke

pytestmark = [pytest.mark.real, pytest.mark.journey, pytest.mark.long]

DENIED = re.compile(r"Principal = User:(\S+) is Denied operation = (\S+) .*?on resource = (\S+)")
FEATURES = b"""
[[feature]]
name = "late_1h"
source = "labels"
aggregate = "mean"
value = "label"
window = "1h"
slice = "1m"
"""
SERVICES = (
    Role.WORKER, Role.JOINER, Role.LEARNER, Role.CALIBRATOR, Role.AGGREGATOR, Role.MATERIALIZER,
    Role.RETRAINER,
)  # fmt: skip


class Roles:
    """One system whose parts log in as their own roles."""

    def __init__(self, secured, opened, url):
        self.secured, self.opened, self.url = secured, opened, url

    def login(self, role):
        """Return the system as a role sees it."""
        login = RedisSecurity(username=role, password=SecretStr(PASSWORD))
        update = {
            "kafka_security": self.secured.security("SCRAM-SHA-512", tls=True, username=str(role)),
            "redis_security": login,
        }
        self.opened.settings = self.opened.settings.model_copy(update=update)
        return self.opened

    def denials(self):
        """Return what the broker has denied to a role: the role, the operation, the resource."""
        log = (self.secured.kafka.folder / "kafka.log").read_text()
        return {found for found in DENIED.findall(log) if found[0] in set(Role)}


@pytest.fixture(scope="module")
def roles(secured, tmp_path_factory):
    folder, prefix = tmp_path_factory.mktemp("roles"), f"t{uuid.uuid4().hex[:8]}."
    (folder / "redis").mkdir()
    address = secured.address("SCRAM-SHA-512", tls=True)
    with (
        EmbeddedServer(EmbeddedRedis(folder / "redis")) as server,
        open_system(address, server.url, prefix, folder) as opened,
    ):
        system = with_route(opened, "bugs", stream="bugs")
        update = {"conformal": ServedSetSettings({"bugs": 0.9})}
        system.settings = system.settings.model_copy(update=update)
        with redis.Redis.from_url(server.url) as owner:
            for role in Role:
                rights = rights_of(role, system.settings)
                grant(secured.owner, role, rights)
                grant_redis(owner, role, PASSWORD, rights.redis)
            owner.acl_setuser("default", enabled=False)
        yield Roles(secured, system, server.url)


def test_every_role_does_its_work_with_its_rights(roles):
    roles.login(Role.OPERATOR).create_topics()
    publish(roles.login(Role.PUBLISHER))
    with open_definitions(roles.opened.settings) as table:
        table.write(FEATURES)
    for role in SERVICES:
        roles.login(role).start(role, role)
    port = str(free_port())
    roles.login(Role.GATEWAY).start("gateway", "gateway", "--port", port, "--grpc-port", "-1")
    roles.login(Role.DASHBOARD).start("dashboard", "dashboard", "--port", str(free_port()))

    client = roles.login(Role.CLIENT).client()
    sent = [client.send(row) for row in ROWS]
    assert {client.wait(one, TIMEOUT_SECONDS).version for one in sent} == {1}
    with Publisher(roles.login(Role.LABELLER).settings.connection) as publisher:
        for one, row in zip(sent, ROWS, strict=True):
            label = Label(id=one.id, label=row["x0"] > 0, event_time=1000)
            topic = roles.opened.topics.labels
            publisher.send(ProducerRecord(topic, one.key.encode(), encode(label)))
        publisher.flush()
    asked = ask(f"http://127.0.0.1:{port}/v1/streams/bugs/predict")
    wait_until_learned(roles.login(Role.PUBLISHER))

    assert asked.json()["model"] == "bugs"
    assert roles.denials() == set()
    assert [one.name for one in roles.opened.supervisor.status() if one.restarts] == []


@pytest.mark.parametrize(
    "role",
    [
        role if role is Role.JOINER else pytest.param(role, marks=pytest.mark.thorough)
        for role in (*SERVICES, Role.GATEWAY, Role.DASHBOARD)
    ],
)
def test_each_right_that_a_service_lacks_is_named_before_it_begins(roles, role):
    roles.login(Role.OPERATOR).create_topics()
    settings = roles.login(role).settings
    for right in rights_of(role, settings).kafka:
        if right.kind == "transactional-id" or right.is_optional:
            continue
        revoke(roles.secured.owner, role, right)
        assert right.name in eventually_missing(settings, role)
        grant(roles.secured.owner, role, Rights((right,), None))
        eventually_permitted(settings, role)


@pytest.mark.parametrize("right", ["group", "topic"])
def test_a_joiner_without_a_right_ends_with_the_cause(roles, right):
    roles.login(Role.OPERATOR).create_topics()
    system = roles.login(Role.JOINER)
    lost = next(one for one in rights_of(Role.JOINER, system.settings).kafka if one.kind == right)
    revoke(roles.secured.owner, Role.JOINER, lost)
    eventually_missing(system.settings, Role.JOINER)
    started = monotonic()

    done = system.run("joiner")

    grant(roles.secured.owner, Role.JOINER, Rights((lost,), None))
    eventually_permitted(system.settings, Role.JOINER)
    assert done.returncode == 1
    assert monotonic() - started < 10
    assert f"Kafka does not permit this login to {DEEDS[right, 'Read'].format(lost.name)}" in (
        done.stderr
    )
    assert "`modstream acls`" in done.stderr


def eventually_missing(settings, role):
    """Wait until the brokers know that a right was taken; return the sentence that names it."""
    deadline = monotonic() + TIMEOUT_SECONDS
    while monotonic() < deadline:
        try:
            require_rights(settings, role, 10)
        except RightMissing as error:
            return str(error)
        sleep(0.05)
    raise AssertionError("no right is missing")


def eventually_permitted(settings, role):
    """Wait until the brokers know that a right was granted."""
    deadline = monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            return require_rights(settings, role, 10)
        except RightMissing:
            assert monotonic() < deadline
        sleep(0.05)


def ask(url):
    """Ask a gateway that is starting."""
    deadline = monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            answer = httpx.post(url, json={"features": ROWS[0]}, timeout=60)
            if answer.is_success:
                return answer
        except httpx.TransportError:
            pass
        assert monotonic() < deadline
        sleep(0.2)


def allowed(rights, topic, operation):
    """Return whether rights include an operation on a topic."""
    return any(
        operation in right.operations
        and (topic.startswith(right.name) if right.is_prefix else topic == right.name)
        for right in rights.kafka
        if right.kind == "topic"
    )


@pytest.mark.parametrize(
    "role",
    [
        role if role in {Role.WORKER, Role.CLIENT, Role.LABELLER}
        else pytest.param(role, marks=pytest.mark.thorough)
        for role in Role
        if role is not Role.OPERATOR
    ],
)  # fmt: skip
def test_a_role_may_do_nothing_else(roles, role):
    topics = roles.login(Role.OPERATOR).topics
    names = [spec.name for spec in topics.specs(1)]
    roles.opened.create_topics()
    settings = roles.login(role).settings
    connection, rights = settings.connection, rights_of(role, settings)
    foreign = ("x" * 8, f"{settings.prefix}other.requests")
    refused = 0
    with Publisher(Connection(roles.secured.owner)) as publisher:
        for topic in names:  # An empty topic would be read without asking for a record.
            publisher.send(ProducerRecord(topic, b"key", b"{}"))
        publisher.flush()

    for topic in (*names, *foreign):
        if not allowed(rights, topic, "Write"):
            with pytest.raises((BrokerError, KafkaException), match=r"(?i)authoriz|permit"):
                write(connection, topic)
            refused += 1
        if not allowed(rights, topic, "Read"):
            with pytest.raises((RightMissing, TopicMissing)):
                list(read_to_end(connection, [topic]))
            refused += 1
    for attempt in administrative_attempts(connection, topics):
        with pytest.raises((BrokerError, KafkaException), match=r"(?i)authoriz|permit"):
            attempt()
        refused += 1

    assert refused >= 20


def write(connection, topic):
    """Write a record as a client that is not idempotent, which needs no further right."""
    errors = []
    config = client_config(connection, "attempt") | {"message.timeout.ms": 20_000}
    producer = Producer(config)
    producer.produce(topic, b"{}", b"forged", on_delivery=lambda error, _: errors.append(error))
    producer.flush(30)
    (error,) = errors
    if error is not None:
        raise KafkaException(error)


def administrative_attempts(connection, topics):
    """Yield what no role but the operator may do, as functions that try it."""
    client = AdminClient(client_config(connection, "attempt"))
    rule = AclBinding(
        ResourceType.TOPIC, topics.labels, ResourcePatternType.LITERAL, "User:me", "*",
        AclOperation.ALL, AclPermissionType.ALLOW,
    )  # fmt: skip
    yield lambda: client.create_topics([NewTopic("mine", 1)])["mine"].result(20)
    yield lambda: client.delete_topics([topics.labels])[topics.labels].result(20)
    yield lambda: client.create_partitions([NewPartitions(topics.labels, 9)])[topics.labels].result(
        20
    )
    yield lambda: client.create_acls([rule])[rule].result(20)
    yield lambda: client.delete_consumer_groups(["theirs"])["theirs"].result(20)
    yield lambda: TransactionalPublisher(connection, "theirs").close()
