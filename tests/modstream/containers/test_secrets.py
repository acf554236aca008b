"""The secrets of docker-compose.yml: who gets which, and that another run keeps them."""

import os
import stat

import pytest
import redis

from modstream.containers.grants import service_grants
from modstream.containers.secrets import SecretFolders
from modstream.containers.server_users import SERVICE_ROLES, kafka_properties
from modstream.models.security.signing import SigningKey
from modstream.producers.gateway.security.api_key import digest
from modstream.producers.gateway.security.key_file import KeyFile
from modstream.settings import load_settings
from modstream.stack.embedded import EmbeddedRedis, EmbeddedServer


@pytest.fixture
def secrets(tmp_path):
    SecretFolders(tmp_path, os.getuid()).create_all(load_settings())
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_another_run_changes_nothing(secrets):
    before = contents(secrets)

    SecretFolders(secrets, os.getuid()).create_all(load_settings())

    assert contents(secrets) == before


def test_a_deleted_password_is_replaced_for_its_user_and_the_server(secrets):
    file = secrets / "worker" / "kafka"
    old = file.read_text().strip()
    joiner = (secrets / "joiner" / "kafka").read_text()
    file.unlink()

    SecretFolders(secrets, os.getuid()).create_all(load_settings())

    properties = (secrets / "kafka" / "server.properties").read_text()
    assert old not in properties
    assert f'user_worker="{file.read_text().strip()}"' in properties
    assert (secrets / "joiner" / "kafka").read_text() == joiner


def test_secrets_of_the_application_can_be_read_by_their_owner_only(secrets):
    private = ["signing/signing.key", "operator/api-key", "access/keys.json", "worker/kafka"]
    for name in private:
        assert stat.S_IMODE((secrets / name).stat().st_mode) & 0o077 == 0, name


def test_no_two_users_have_the_same_password(secrets):
    roles = [*SERVICE_ROLES, "operator"]
    files = [file for role in roles for file in (secrets / role).iterdir()]

    assert len({file.read_text() for file in files}) == len(files) > len(roles)


def test_the_joiner_has_no_user_in_redis(secrets):
    assert not (secrets / "joiner" / "redis").exists()
    assert "user joiner" not in (secrets / "redis" / "users.acl").read_text()


def test_the_trusted_key_is_that_of_the_signing_key(secrets):
    key = SigningKey.load(secrets / "signing" / "signing.key")

    assert (secrets / "trust" / "keys").read_text() == f"{key.public_key}\n"


def test_the_gateway_knows_the_hash_of_the_operators_key(secrets):
    [key] = KeyFile(secrets / "access" / "keys.json").read()

    assert key.sha256 == digest((secrets / "operator" / "api-key").read_text().strip())
    assert "read:*" in key.scopes


def test_kafkas_users_are_known_on_both_listeners():
    lines = kafka_properties({"worker": "a", "joiner": "b"}).splitlines()

    assert [line.partition(".plain.")[0] for line in lines] == [
        "listener.name.inside",
        "listener.name.outside",
    ]
    assert all(line.endswith('required user_worker="a" user_joiner="b";') for line in lines)


def test_no_service_may_write_a_topic_of_which_it_only_reads():
    rights = {(one.user, one.name, one.operation) for one in service_grants(load_settings())}

    assert ("worker", "flights.requests", "Read") in rights
    assert ("worker", "flights.requests", "Write") not in rights
    assert {user for user, _, _ in rights} == {role.value for role in SERVICE_ROLES}


@pytest.mark.real
def test_redis_lets_in_the_users_of_the_file_and_no_others(secrets, tmp_path_factory):
    lines = (secrets / "redis" / "users.acl").read_text().splitlines()
    with EmbeddedServer(EmbeddedRedis(tmp_path_factory.mktemp("redis"))) as server:
        with redis.Redis.from_url(server.url) as owner:
            for line in reversed(lines):  # The owner's user is switched off at the end.
                _, name, *rules = line.split()
                owner.execute_command("ACL", "SETUSER", name, *rules)
        host = {"host": "127.0.0.1", "port": int(server.url.split(":")[2].split("/")[0])}
        with redis.Redis(**host) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        for name in ("worker", "operator"):
            password = (secrets / name / "redis").read_text().strip()
            with redis.Redis(**host, username=name, password=password) as client:
                assert client.hgetall("modstream:aliases:frozen") == {}
                with pytest.raises(redis.exceptions.NoPermissionError):
                    client.flushall()
        password = (secrets / "redis" / "health").read_text().strip()
        with redis.Redis(**host, username="health", password=password) as client:
            assert client.ping()
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.get("modstream:names")
