"""A Redis that asks who its clients are, and speaks TLS."""

import ssl
from urllib.parse import urlsplit

import pytest
import redis
from pydantic import SecretStr

from modstream.models.registry.connection import ping
from modstream.models.registry.errors import RegistryLoginRefused, RegistryUnavailable
from modstream.redis_security import RedisSecurity
from tests.producers.gateway.certificates import Authority
from tests.secure.conftest import PASSWORD, USER
from tests.secure.tls_proxy import tls_proxy

pytestmark = [pytest.mark.real]

PATIENCE_S = 5.0
LOGIN = {"username": USER, "password": SecretStr(PASSWORD)}


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def files(authority, tmp_path):
    """The authority's certificate, and a certificate of a client with its key."""
    (tmp_path / "ca.pem").write_bytes(authority.certificate)
    authority.write(tmp_path, USER)
    return tmp_path


@pytest.fixture
def address(redis_server, files, authority):
    """The URL of a Redis behind TLS that wants a certificate, and knows one user."""
    plain = urlsplit(redis_server().url)
    with redis.Redis(plain.hostname, plain.port) as owner:
        owner.acl_setuser(
            USER, enabled=True, passwords=[f"+{PASSWORD}"], keys=["*"], categories=["+@all"]
        )
        owner.acl_setuser("default", enabled=False)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=files / "ca.pem")
    context.load_cert_chain(*authority.write(files, "server"))
    context.verify_mode = ssl.CERT_REQUIRED
    with tls_proxy((plain.hostname, plain.port), context) as port:
        yield f"redis://127.0.0.1:{port}/0"


def secured(files, **changes):
    given = {
        "tls": True,
        "ca_file": files / "ca.pem",
        "certificate_file": files / f"{USER}.pem",
        "key_file": files / f"{USER}.key",
        **LOGIN,
    }
    return RedisSecurity(**given | changes)


def test_a_login_over_tls_is_accepted(address, files):
    ping(secured(files).secure(address), PATIENCE_S)


def test_a_password_in_a_file_is_accepted(address, files):
    (files / "password").write_text(PASSWORD + "\n")
    security = secured(files, password=None, password_file=files / "password")

    ping(security.secure(address), PATIENCE_S)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"password": SecretStr("wrong")}, "(?i)invalid username-password"),
        ({"username": "nobody"}, "(?i)invalid username-password"),
        ({"username": "", "password": None}, "it wants a user and a password"),
    ],
)
def test_a_refusal_says_its_cause(address, files, changes, cause):
    with pytest.raises(RegistryLoginRefused, match=cause) as refused:
        ping(secured(files, **changes).secure(address), PATIENCE_S)

    assert PASSWORD not in str(refused.value)


def test_a_client_without_a_certificate_is_refused(address, files):
    security = secured(files, certificate_file=None, key_file=None)

    # Over TLS 1.3 the refusal may be lost with the connection, which is closed at once.
    with pytest.raises(RegistryUnavailable, match=r"(?i)certificate required|closed|reset"):
        ping(security.secure(address), PATIENCE_S)


def test_a_server_of_another_authority_is_refused(address, files):
    (files / "other.pem").write_bytes(Authority().certificate)

    with pytest.raises(RegistryLoginRefused, match="certificate verify failed"):
        ping(secured(files, ca_file=files / "other.pem").secure(address), PATIENCE_S)
