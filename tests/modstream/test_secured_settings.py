"""The settings of secured servers: from variables and files, to clients and to child processes."""

import json
import stat

import pytest
from pydantic import SecretStr

from modstream.cli.masked_settings import mask_secrets
from modstream.errors import InvalidSettings
from modstream.redis_security import RedisSecurity
from modstream.running_stack import lock_home
from modstream.settings import advertise_stack, load_settings
from modstream.stack.local_stack import child_environment

PASSWORD = "canary /:@?#%"  # noqa: S105


@pytest.fixture
def password_file(tmp_path):
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    return file


def test_variables_secure_every_client_of_kafka_and_redis(monkeypatch, password_file):
    monkeypatch.setenv("MODSTREAM_KAFKA_SECURITY__MECHANISM", "SCRAM-SHA-512")
    monkeypatch.setenv("MODSTREAM_KAFKA_SECURITY__USERNAME", "worker")
    monkeypatch.setenv("MODSTREAM_KAFKA_SECURITY__PASSWORD_FILE", str(password_file))
    monkeypatch.setenv("MODSTREAM_KAFKA_SECURITY__TLS", "true")
    monkeypatch.setenv("MODSTREAM_KAFKA__sasl.username", "another")
    monkeypatch.setenv("MODSTREAM_REDIS", "redis://host:1/2")
    monkeypatch.setenv("MODSTREAM_REDIS_SECURITY__PASSWORD_FILE", str(password_file))

    settings = load_settings()

    assert settings.connection.options == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "another",
        "sasl.password": PASSWORD,
    }
    assert settings.redis == "redis://host:1/2"
    assert settings.redis_url == "redis://:canary%20%2F%3A%40%3F%23%25@host:1/2"


@pytest.fixture
def settings(monkeypatch):
    """Settings whose passwords are in variables."""
    monkeypatch.setenv("MODSTREAM_KAFKA_SECURITY__MECHANISM", "PLAIN")
    monkeypatch.setenv("MODSTREAM_KAFKA_SECURITY__USERNAME", "worker")
    monkeypatch.setenv("MODSTREAM_KAFKA_SECURITY__PASSWORD", PASSWORD)
    monkeypatch.setenv("MODSTREAM_REDIS_SECURITY__PASSWORD", PASSWORD)
    return load_settings()


def test_a_child_process_has_the_same_login(settings, monkeypatch):
    for name, value in child_environment(settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MODSTREAM_KAFKA_SECURITY__PASSWORD")
    monkeypatch.delenv("MODSTREAM_REDIS_SECURITY__PASSWORD")

    assert load_settings() == settings
    assert load_settings().connection.options["sasl.password"] == PASSWORD


def test_no_password_is_printed(settings):
    printed = json.dumps(mask_secrets(settings.model_dump(mode="json")))
    assert "canary" not in printed + repr(settings) + repr(settings.connection)


def test_a_secret_that_cannot_be_read_is_an_error_of_its_setting(monkeypatch, tmp_path):
    missing = tmp_path / "missing"
    monkeypatch.setenv("MODSTREAM_KAFKA_SECURITY__MECHANISM", "PLAIN")
    monkeypatch.setenv("MODSTREAM_KAFKA_SECURITY__USERNAME", "worker")
    monkeypatch.setenv("MODSTREAM_KAFKA_SECURITY__PASSWORD_FILE", str(missing))
    monkeypatch.setenv("MODSTREAM_REDIS_SECURITY__PASSWORD_FILE", str(missing))
    settings = load_settings()

    with pytest.raises(InvalidSettings, match=r"kafka_security: the secret in .*missing"):
        _ = settings.connection
    with pytest.raises(InvalidSettings, match=r"redis_security: the secret in .*missing"):
        _ = settings.redis_url


@pytest.mark.parametrize(
    ("variable", "value"),
    [("KAFKA_SECURITY__MECHANISM", "GSSAPI"), ("KAFKA", '{"sasl.mechanism": "GSSAPI"}')],
)
def test_kerberos_is_refused_with_its_reason(monkeypatch, variable, value):
    monkeypatch.setenv(f"MODSTREAM_{variable}", value)

    with pytest.raises(InvalidSettings, match="built without Kerberos"):
        load_settings()


def test_redis_over_tls_has_the_files_in_its_url(tmp_path):
    security = RedisSecurity(
        username="learner",
        password=SecretStr("secret"),
        tls=True,
        ca_file=tmp_path / "ca.pem",
        certificate_file=tmp_path / "own.pem",
        key_file=tmp_path / "own.key",
    )

    url = security.secure("redis://someone:else@host:1/0?health_check_interval=5")

    assert url.startswith("rediss://learner:secret@host:1/0?health_check_interval=5&ssl_ca_certs=")
    assert url.endswith("own.key")
    assert RedisSecurity().secure("redis://user:pw@host:1/0") == "redis://user:pw@host:1/0"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"username": "u"}, "a username needs password"),
        ({"password": SecretStr("p"), "password_file": "f"}, "either password or password_file"),
        ({"tls": True, "key_file": "k"}, "belong together"),
        ({"ca_file": "c"}, "certificates need tls"),
    ],
)
def test_settings_of_redis_that_do_not_fit_together_are_refused(given, reason):
    with pytest.raises(ValueError, match=reason):
        RedisSecurity(**given)


def test_only_the_user_can_read_where_the_stack_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("MODSTREAM_REDIS", "redis://:canary@host:1/0")
    with lock_home(tmp_path) as lock, advertise_stack(load_settings(), lock):
        (file,) = tmp_path.glob("*.json")

        assert stat.S_IMODE(file.stat().st_mode) == 0o600
