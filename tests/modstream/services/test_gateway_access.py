"""Who may call a gateway, by its address, its keys and its settings."""

import sys
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from modstream.errors import InvalidSettings
from modstream.producers.gateway.access import ANONYMOUS, Credentials, Unauthorized, Verb
from modstream.producers.gateway.errors import NotServing
from modstream.producers.gateway.security.api_key import create_key
from modstream.producers.gateway.security.errors import (
    IssuerUnusable,
    KeyFileUnusable,
    LibraryMissing,
    TlsUnusable,
)
from modstream.producers.gateway.settings import GatewaySettings
from modstream.registry.api_keys import open_key_store
from modstream.services.gateway_access import is_loopback, open_access
from modstream.settings import Settings

EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing listens there
NO_REDIS = "redis://:canary@127.0.0.1:9/0"


@contextmanager
def opened(settings, **gateway):
    """Yield who may call, and what was logged until then."""
    found = settings.model_copy(update={"gateway": GatewaySettings(**gateway)})
    with capture_logs() as logs, open_access(found) as access:
        yield access.control, [line["event"] for line in logs]


def ask(control, secret=""):
    return control.authorize(Credentials(api_key=secret), Verb.READ, "flights")


@pytest.fixture
def settings(redis_url, prefix):
    return Settings(redis=redis_url, prefix=prefix)


@pytest.fixture
def secret(settings):
    """Create a key in Redis and return it."""
    new = create_key("web", ("read:*",), None, None, 0)
    with open_key_store(settings) as store:
        store.add(new.record)
    return new.secret


@pytest.mark.real
def test_without_keys_only_this_machine_may_call_and_that_is_said(settings):
    with opened(settings) as (control, logs):
        assert ask(control) == ANONYMOUS

    assert "without keys: only this machine may call" in logs


@pytest.mark.real
def test_an_address_of_other_machines_without_keys_is_refused_in_one_sentence(settings):
    with pytest.raises(InvalidSettings) as caught, opened(settings, host=EVERYWHERE):
        pass

    assert "other machines can reach 0.0.0.0, and there is no API key" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.real
@pytest.mark.parametrize("host", ["127.0.0.1", EVERYWHERE])
def test_a_key_is_needed_as_soon_as_there_is_one(settings, secret, host):
    with opened(settings, host=host) as (control, logs):
        with pytest.raises(Unauthorized):
            ask(control)
        assert ask(control, secret) == "web"

    assert "callers need a key" in logs
    assert any("unencrypted" in line for line in logs) == (host == EVERYWHERE)


@pytest.mark.real
@pytest.mark.parametrize("host", ["127.0.0.1", EVERYWHERE])
def test_a_required_key_that_nobody_has_yet_keeps_everybody_out(settings, host):
    with (
        opened(settings, host=host, require_key=True) as (control, logs),
        pytest.raises(Unauthorized),
    ):
        ask(control)

    assert "no API key exists: nobody may call before `modstream keys create`" in logs


@pytest.mark.parametrize("host", ["127.0.0.1", EVERYWHERE])
def test_nobody_gets_in_while_redis_has_never_answered(host):
    with (
        opened(Settings(redis=NO_REDIS), host=host) as (control, logs),
        pytest.raises(NotServing, match="Redis, which has them, does not respond") as caught,
    ):
        ask(control, "modstream_x")

    assert "canary" not in f"{caught.value}{logs}"
    assert logs[0] == "API keys unreadable"


def test_a_missing_key_file_ends_the_start(tmp_path):
    with (
        pytest.raises(KeyFileUnusable, match="does not exist"),
        opened(Settings(redis=NO_REDIS), api_keys=tmp_path / "keys.json"),
    ):
        pass


def test_a_wrong_certificate_ends_the_start(tmp_path):
    with (
        pytest.raises(TlsUnusable, match="cannot be read"),
        opened(
            Settings(redis=NO_REDIS),
            tls_certificate=tmp_path / "c.pem",
            tls_key=tmp_path / "c.key",
        ),
    ):
        pass


def test_tokens_of_an_issuer_need_an_audience():
    with (
        pytest.raises(InvalidSettings, match=r"gateway\.oidc_audience"),
        opened(Settings(redis=NO_REDIS), oidc_issuer="https://issuer.example"),
    ):
        pass


def test_an_issuer_without_tls_is_refused():
    with (
        pytest.raises(IssuerUnusable, match="is not an https address"),
        opened(
            Settings(redis=NO_REDIS), oidc_issuer="http://issuer.example", oidc_audience="gateway"
        ),
    ):
        pass


def test_the_package_for_tokens_is_named_if_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "modstream.producers.gateway.security.bearer_tokens", None)

    with (
        pytest.raises(LibraryMissing, match=r"pip install 'modstream\[oidc\]'"),
        opened(
            Settings(redis=NO_REDIS), oidc_issuer="https://issuer.example", oidc_audience="gateway"
        ),
    ):
        pass


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("localhost", True),
        (EVERYWHERE, False),
        ("::", False),
        ("192.168.0.5", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_loopback_addresses_are_those_of_this_machine_only(host, expected):
    assert is_loopback(host) == expected
