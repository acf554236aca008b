"""Errors of the files and the services that access control depends on; callers never get them.

ProducerError
├── InvalidScope         a scope is not VERB:STREAM
├── IssuerUnusable       the issuer of tokens cannot be used as configured, or does not respond
├── KeyExists            an API key has this name
├── KeysUnreadable       the API keys cannot be read at present
│   └── KeyFileUnusable      their file is missing, damaged or not writable
├── LibraryMissing       OpenID Connect needs a package that is not installed
└── TlsUnusable          the certificate or its private key cannot be used
"""

from pathlib import Path

from modstream.producers.errors import ProducerError


class InvalidScope(ProducerError):
    """A scope is not VERB:STREAM."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text[:100]!r} is not a scope: write VERB:STREAM with the verb predict, label, read"
            " or manage, and the name of a stream, or * for all streams: predict:flights, read:*"
        )


class IssuerUnusable(ProducerError):
    """The issuer of tokens cannot be used as configured, or does not respond."""

    def __init__(self, issuer: str, reason: str) -> None:
        super().__init__(f"the issuer {issuer} of tokens cannot be used: {reason}")
        self.issuer, self.reason = issuer, reason


class KeyExists(ProducerError):
    """An API key has this name; a name is given once, until it is revoked."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is an API key {name}: choose another name, or revoke it before with"
            f" `modstream keys revoke {name}`"
        )
        self.name = name


class KeysUnreadable(ProducerError):
    """The API keys cannot be read at present."""

    def __init__(self, reason: str, details: str = "") -> None:
        super().__init__(
            f"the API keys cannot be read: {reason}{f' ({details})' if details else ''}"
        )
        self.reason = reason


class KeyFileUnusable(KeysUnreadable):
    """The file of the API keys is missing, damaged or not writable."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"their file {reason}", str(path))
        self.path = path


class LibraryMissing(ProducerError):
    """OpenID Connect needs a package that is not installed."""

    def __init__(self, extra: str) -> None:
        super().__init__(
            f"gateway.oidc_issuer needs a further package: pip install 'modstream[{extra}]'"
        )


class TlsUnusable(ProducerError):
    """The certificate or its private key cannot be used."""

    def __init__(self, setting: str, path: Path | None, reason: str) -> None:
        where = "" if path is None else f" {path}"
        super().__init__(f"{setting}:{where} {reason}")
        self.setting, self.path = setting, path
