"""How clients prove to Kafka who they are, and how their connections are encrypted."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from modstream.secret_files import secret_text

Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"]
NO_GSSAPI = (
    "GSSAPI is not supported: the packages of confluent-kafka are built without Kerberos"
    " (Cyrus SASL); use SCRAM-SHA-512, OAUTHBEARER or certificates"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSecurity:
    """The login and the encryption of every connection to Kafka.

    The file of a secret is read whenever a client is created, so a process uses the content that
    the file has when the process starts. Line breaks at the end of the file are ignored.
    """

    mechanism: Mechanism | None = None
    """SASL mechanism. Without one, a client is known by its certificate, or is anonymous."""
    username: str = ""
    """User of `PLAIN` and `SCRAM-SHA-*`."""
    password: SecretStr | None = None
    """Password of the user."""
    password_file: Path | None = None
    """File that contains the password, as Docker and Kubernetes mount secrets."""
    token_url: str = ""
    """Address at which an OpenID provider issues tokens for `OAUTHBEARER`, by client
    credentials."""
    client_id: str = ""
    """Client id at that provider."""
    client_secret: SecretStr | None = None
    """Secret of the client id."""
    client_secret_file: Path | None = None
    """File that contains the secret of the client id."""
    scope: str = ""
    """Scope that is asked for with a token."""
    tls: bool = False
    """Whether connections are encrypted, and the brokers' certificates are checked."""
    ca_file: Path | None = None
    """Certificates (PEM) of the authorities that may sign brokers' certificates; by default those
    of the operating system."""
    certificate_file: Path | None = None
    """The client's own certificate (PEM), if brokers ask for one."""
    key_file: Path | None = None
    """Private key (PEM) of the client's certificate."""
    key_password: SecretStr | None = None
    """Password of the private key."""
    key_password_file: Path | None = None
    """File that contains the password of the private key."""

    def __post_init__(self) -> None:
        """Check that the settings fit together."""
        problems = list(self._problems())
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def protocol(self) -> str:
        """Kafka's name of the protocol of connections, such as SASL_SSL."""
        transport = "SSL" if self.tls else "PLAINTEXT"
        return f"SASL_{transport}" if self.mechanism else transport

    def options(self) -> dict[str, str]:
        """Return these settings as options of librdkafka; an empty mapping without security.

        Raises:
            SecretUnreadable: a file with a secret cannot be read, or is empty.
        """
        if self.mechanism is None and not self.tls:
            return {}
        return {"security.protocol": self.protocol, **self._login(), **self._encryption()}

    def _problems(self) -> Iterator[str]:
        for name in ("password", "client_secret", "key_password"):
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                yield f"give either {name} or {name}_file"
        yield from self._login_problems()
        if (self.certificate_file is None) != (self.key_file is None):
            yield "certificate_file and key_file belong together"
        if not self.tls and (self.ca_file or self.certificate_file):
            yield "certificates need tls"

    def _login_problems(self) -> Iterator[str]:
        has_password = self.password is not None or self.password_file is not None
        has_secret = self.client_secret is not None or self.client_secret_file is not None
        if self.mechanism == "GSSAPI":
            yield NO_GSSAPI
        elif self.mechanism == "OAUTHBEARER":
            if not (self.token_url and self.client_id and has_secret):
                yield "OAUTHBEARER needs token_url, client_id, and client_secret or its file"
        elif self.mechanism is not None:
            if not (self.username and has_password):
                yield f"{self.mechanism} needs username, and password or password_file"
        elif self.username or has_password or self.token_url or has_secret:
            yield "a login needs the mechanism"

    def _login(self) -> dict[str, str]:
        if self.mechanism is None:
            return {}
        if self.mechanism == "OAUTHBEARER":
            login = {
                "sasl.mechanism": self.mechanism,
                "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.token.endpoint.url": self.token_url,
                "sasl.oauthbearer.client.id": self.client_id,
                "sasl.oauthbearer.client.secret": self._secret("client_secret"),
                "sasl.oauthbearer.scope": self.scope,
            }
            return {name: value for name, value in login.items() if value}
        return {
            "sasl.mechanism": self.mechanism,
            "sasl.username": self.username,
            "sasl.password": self._secret("password"),
        }

    def _encryption(self) -> dict[str, str]:
        files = {
            "ssl.ca.location": self.ca_file,
            "ssl.certificate.location": self.certificate_file,
            "ssl.key.location": self.key_file,
        }
        found = {name: str(path) for name, path in files.items() if path is not None}
        if password := self._secret("key_password"):
            found["ssl.key.password"] = password
        return found

    def _secret(self, name: str) -> str:
        """Return a secret, which is given or in a file; an empty text without it."""
        return secret_text(getattr(self, name), getattr(self, f"{name}_file"))
