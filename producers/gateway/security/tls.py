"""The certificate of HTTP and gRPC over TLS."""

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, NoReturn

import grpc
import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from modstream.producers.gateway.security.errors import TlsUnusable
from modstream.producers.gateway.settings import GatewaySettings

CERTIFICATE = "gateway.tls_certificate"
KEY = "gateway.tls_key"


class TlsFiles(NamedTuple):
    """A certificate chain and its private key, both in PEM."""

    certificate: bytes
    key: bytes


def read_tls(settings: GatewaySettings) -> TlsFiles | None:
    """Return the certificate and the key, or None without TLS; both were tried together.

    A certificate that has ended is logged: callers refuse it.

    Raises:
        TlsUnusable: a file is missing or wrong, or one does not belong to the other.
    """
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        missing = CERTIFICATE if certificate is None else KEY
        raise TlsUnusable(missing, None, "is not set; TLS needs the certificate and its key")
    files = TlsFiles(_read(CERTIFICATE, certificate), _read(KEY, key))
    _check_pair(certificate, key, files)
    _try_as_server(certificate, key)
    return files


def certificate_end(settings: GatewaySettings) -> datetime | None:
    """Return when the gateway's own certificate ends; None without TLS.

    Raises:
        TlsUnusable: a file is missing or wrong.
    """
    files = read_tls(settings)
    if files is None:
        return None
    return x509.load_pem_x509_certificates(files.certificate)[0].not_valid_after_utc


def grpc_credentials(settings: GatewaySettings) -> grpc.ServerCredentials | None:
    """Return the credentials of a gRPC server, or None without TLS.

    Raises:
        TlsUnusable: a file is missing or wrong.
    """
    files = read_tls(settings)
    if files is None:
        return None
    return grpc.ssl_server_credentials([(files.key, files.certificate)])


def _read(setting: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsUnusable(setting, path, f"cannot be read: {error.strerror or error}") from None


def _check_pair(certificate: Path, key: Path, files: TlsFiles) -> None:
    try:
        chain = x509.load_pem_x509_certificates(files.certificate)
    except ValueError:
        raise TlsUnusable(CERTIFICATE, certificate, "has no certificate in PEM") from None
    try:
        private = load_pem_private_key(files.key, None)
    except TypeError:
        raise TlsUnusable(KEY, key, "is encrypted; store the key without a passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise TlsUnusable(KEY, key, "has no private key in PEM") from None
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    own = private.public_key().public_bytes(*form)
    if chain[0].public_key().public_bytes(*form) != own:
        reason = f"does not belong to the first certificate of {certificate}"
        raise TlsUnusable(KEY, key, reason)
    end = chain[0].not_valid_after_utc
    if end < datetime.now(UTC):
        structlog.get_logger(__name__).warning(
            "the certificate has ended: callers refuse it", ended=f"{end:%Y-%m-%d %H:%M:%S}"
        )


def _try_as_server(certificate: Path, key: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, _refuse_passphrase)
    except (ssl.SSLError, OSError) as error:
        reason = f"is refused by OpenSSL: {error.strerror or error}"
        raise TlsUnusable(CERTIFICATE, certificate, reason) from None


def _refuse_passphrase() -> NoReturn:
    """Keep OpenSSL from asking at the terminal."""
    raise ssl.SSLError("the key is encrypted")
