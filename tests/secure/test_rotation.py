"""Passwords, certificates and tokens change under load; no request is lost or answered twice."""

import uuid
from collections import Counter
from threading import Event, Thread

import pytest
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from pydantic import SecretStr

from modstream.broker.client.reader import read_to_end
from modstream.redis_security import RedisSecurity
from tests.journeys.conftest import TIMEOUT_SECONDS, open_system, with_route
from tests.secure.conftest import PASSWORD, USER
from tests.secure.learned_model import ROWS, publish
from tests.secure.rights import allow_everything

pytestmark = [pytest.mark.real, pytest.mark.journey, pytest.mark.long, pytest.mark.thorough]

CHANGED = "rotated"
"""The user whose login changes; the client keeps that of USER."""
WORKERS = ("0", "1")
RATE = 30.0


class SteadyLoad:
    """Requests from one client at a steady rate, from a thread of its own."""

    def __init__(self, client):
        self._client, self._stop = client, Event()
        self.sent = []
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def wait_for_more(self, count):
        """Wait until so many requests that are sent from now on are answered."""
        first = len(self.sent)
        while len(self.sent) < first + count:
            assert self._thread.is_alive()
            self._stop.wait(1 / RATE)
        for one in self.sent[first : first + count]:
            self._client.wait(one, TIMEOUT_SECONDS)

    def _run(self):
        while not self._stop.wait(1 / RATE):
            self.sent.append(self._client.send(ROWS[len(self.sent) % len(ROWS)]))


class Login:
    """The login of the workers: their files, and what the broker accepts."""

    def __init__(self, secured, mechanism, folder):
        self.secured, self.mechanism, self.folder = secured, mechanism, folder
        self.password = folder / "password-of-worker"
        self.change()

    @property
    def settings(self):
        if self.mechanism is None:
            files = {
                "certificate_file": self.folder / f"{CHANGED}.pem",
                "key_file": self.folder / f"{CHANGED}.key",
            }
            return self.secured.security(None, tls=True, **files)
        login = {"username": CHANGED, "password_file": self.password}
        return self.secured.security(self.mechanism, tls=True, **login)

    def change(self):
        """Write a new secret; with a password, the one before is refused from now on."""
        if self.mechanism is None:
            self.secured.authority.write(self.folder, CHANGED)
            return
        new = f"{PASSWORD} {uuid.uuid4().hex}"
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        wanted = UserScramCredentialUpsertion(CHANGED, info, new.encode())
        client = AdminClient({"bootstrap.servers": self.secured.owner})
        client.alter_user_scram_credentials([wanted])[CHANGED].result(20)
        self.password.write_text(new)


@pytest.fixture
def open_stream(secured, closed_redis, tmp_path):
    """Return a function that opens a system with a published model, logged in as the user."""
    contexts = []

    def open_(mechanism, *, tls):
        allow_everything(secured.owner, USER)
        allow_everything(secured.owner, CHANGED)
        address, prefix = secured.address(mechanism, tls=tls), f"t{uuid.uuid4().hex[:8]}."
        contexts.append(open_system(address, closed_redis, prefix, tmp_path))
        opened = contexts[-1].__enter__()
        opened.settings = opened.settings.model_copy(
            update={
                "kafka_security": secured.security(mechanism, tls=tls),
                "redis_security": RedisSecurity(username=USER, password=SecretStr(PASSWORD)),
            }
        )
        system = with_route(opened, "bugs", stream="bugs")
        system.create_topics()
        publish(system)
        return system

    yield open_
    for context in contexts:
        context.__exit__(None, None, None)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", None])
def test_a_secret_is_changed_by_restarting_one_worker_after_the_other(
    secured, open_stream, tmp_path, mechanism
):
    system = open_stream(mechanism, tls=True)
    login = Login(secured, mechanism, tmp_path)
    client = system.client()
    workers = with_route(system, "bugs", stream="bugs")
    workers.settings = system.settings.model_copy(update={"kafka_security": login.settings})
    for number in WORKERS:
        workers.start(f"worker-{number}", "worker", "--instance-id", number)
    client.wait(client.send(ROWS[0]), TIMEOUT_SECONDS)

    with SteadyLoad(client) as load:
        load.wait_for_more(30)
        login.change()
        load.wait_for_more(30)
        for number in WORKERS:
            workers.supervisor.stop([f"worker-{number}"])
            workers.start(f"worker-{number}", "worker", "--instance-id", number)
            load.wait_for_more(60)

    require_answered_once(system, client, load)
    for number in WORKERS:
        assert PASSWORD not in workers.log(f"worker-{number}")


@pytest.mark.parametrize("tls", [False, True])
def test_tokens_are_renewed_while_requests_are_answered(secured, open_stream, monkeypatch, tls):
    monkeypatch.setattr(secured.issuer, "life_s", 6)
    system = open_stream("OAUTHBEARER", tls=tls)
    for number in WORKERS:
        system.start(f"worker-{number}", "worker", "--instance-id", number)
    client = system.client()
    client.wait(client.send(ROWS[0]), TIMEOUT_SECONDS)
    issued = secured.issuer.issued

    with SteadyLoad(client) as load:
        while secured.issuer.issued < issued + 30:
            load.wait_for_more(30)

    require_answered_once(system, client, load)


def require_answered_once(system, client, load):
    """Check that each request of a load has exactly one answer."""
    for one in load.sent:
        client.wait(one, TIMEOUT_SECONDS)
    read = read_to_end(system.settings.connection, [system.topics.predictions])
    answers = Counter(record.key for record in read)
    assert len(load.sent) >= 100
    assert {answers[one.key.encode()] for one in load.sent} == {1}
