"""How clients prove to Redis who they are, and how their connections are encrypted."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from pydantic import SecretStr

from modstream.secret_files import secret_text


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSecurity:
    """The login and the encryption of every connection to Redis."""

    username: str = ""
    """User of Redis' access control list; without one, Redis' `default`."""
    password: SecretStr | None = None
    """Password of the user."""
    password_file: Path | None = None
    """File that contains the password, as Docker and Kubernetes mount secrets."""
    tls: bool = False
    """Whether connections are encrypted, and the server's certificate is checked."""
    ca_file: Path | None = None
    """Certificates (PEM) of the authorities that may sign the server's certificate; by default
    those of the operating system."""
    certificate_file: Path | None = None
    """The client's own certificate (PEM), if the server asks for one."""
    key_file: Path | None = None
    """Private key (PEM) of the client's certificate."""

    def __post_init__(self) -> None:
        """Check that the settings fit together."""
        problems = list(self._problems())
        if problems:
            raise ValueError("; ".join(problems))

    def secure(self, url: str) -> str:
        """Return the URL of a Redis with this login and encryption, as redis-py reads it.

        Raises:
            SecretUnreadable: the file of the password cannot be read, or is empty.
        """
        parts = urlsplit(url)
        password = secret_text(self.password, self.password_file)
        place = parts.netloc
        if password:
            login = f"{quote(self.username, safe='')}:{quote(password, safe='')}"
            place = f"{login}@{place.rpartition('@')[2]}"
        files = {
            "ssl_ca_certs": self.ca_file,
            "ssl_certfile": self.certificate_file,
            "ssl_keyfile": self.key_file,
        }
        options = dict(parse_qsl(parts.query))
        options |= {name: str(path) for name, path in files.items() if path is not None}
        scheme = "rediss" if self.tls and parts.scheme == "redis" else parts.scheme
        return urlunsplit((scheme, place, parts.path, urlencode(options), parts.fragment))

    def _problems(self) -> Iterator[str]:
        has_password = self.password is not None or self.password_file is not None
        if self.password is not None and self.password_file is not None:
            yield "give either password or password_file"
        if self.username and not has_password:
            yield "a username needs password or password_file"
        if (self.certificate_file is None) != (self.key_file is None):
            yield "certificate_file and key_file belong together"
        if not self.tls and (self.ca_file or self.certificate_file):
            yield "certificates need tls"
