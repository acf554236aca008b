"""Secured servers for the tests, and the settings of every login."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr

from modstream.broker.client.security import KafkaSecurity
from modstream.rights.rights import Role
from modstream.stack.embedded import EmbeddedRedis, EmbeddedServer
from tests.producers.gateway.certificates import Authority
from tests.secure.secured_kafka import SecuredKafka
from tests.secure.token_issuer import TokenIssuer, serve_tokens

USER, PASSWORD = "someone", "canary:/@ 1"
WAYS = (
    *((mechanism, tls) for mechanism in
      ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER") for tls in (False, True)),
    (None, True),
)  # fmt: skip
"""Each SASL mechanism with and without TLS, and a certificate alone."""


@dataclass(frozen=True)
class Secured:
    """A secured Kafka, the issuer of its tokens, and the files of its clients."""

    kafka: SecuredKafka
    issuer: TokenIssuer
    authority: Authority
    folder: Path

    @property
    def owner(self) -> str:
        """The bootstrap address for whom everything is allowed."""
        return self.kafka.url

    def address(self, mechanism: str | None, *, tls: bool) -> str:
        if mechanism is None:
            return self.kafka.address("SSL")
        return self.kafka.address("SASL_SSL" if tls else "SASL_PLAINTEXT")

    def security(self, mechanism: str | None, *, tls: bool, **changes) -> KafkaSecurity:
        """Return the settings of a login as the user, with changes."""
        given = {"tls": tls, "ca_file": self.folder / "ca.pem"} if tls else {}
        if mechanism is None:
            given |= {"certificate_file": self.folder / f"{USER}.pem"}
            given |= {"key_file": self.folder / f"{USER}.key"}
        elif mechanism == "OAUTHBEARER":
            given |= {"mechanism": mechanism, "token_url": f"{self.issuer.url}/token"}
            given |= {"client_id": USER, "client_secret": SecretStr(PASSWORD)}
        else:
            given |= {"mechanism": mechanism, "username": USER}
            given |= {"password_file": self.folder / "password"}
        return KafkaSecurity(**given | changes)


@pytest.fixture(scope="session")
def secured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secured")
    authority = Authority()
    (folder / "ca.pem").write_bytes(authority.certificate)
    (folder / "password").write_text(f"{PASSWORD}\n")
    authority.write(folder, USER)
    with serve_tokens({USER: PASSWORD}) as issuer:
        own = (*authority.issue(name="broker"), authority.certificate)
        users = dict.fromkeys((USER, *Role), PASSWORD)
        kafka = SecuredKafka(folder / "kafka", users, own, issuer.url)
        kafka.folder.mkdir()
        with EmbeddedServer(kafka):
            yield Secured(kafka, issuer, authority, folder)


@pytest.fixture(scope="session")
def closed_redis(tmp_path_factory):
    """A Redis for which all but one user are off; that one may not administrate it."""
    with EmbeddedServer(EmbeddedRedis(tmp_path_factory.mktemp("redis"))) as server:
        with redis.Redis.from_url(server.url) as owner:
            owner.acl_setuser(
                USER,
                enabled=True,
                passwords=[f"+{PASSWORD}"],
                keys=["*"],
                channels=["*"],
                categories=["+@all", "-@admin", "-@dangerous"],
            )
            owner.acl_setuser("default", enabled=False)
        yield server.url
