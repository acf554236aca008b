"""Who may call a gateway, by its settings.

A key is needed as soon as there is one, or if the settings demand it: by `require_key`, a file of
keys, an issuer of tokens, or an address that other machines reach.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from typing import NamedTuple

import structlog

from modstream.errors import InvalidSettings
from modstream.process.background import BackgroundThread
from modstream.producers.gateway.access import AccessControl
from modstream.producers.gateway.security.authenticated_access import (
    AuthenticatedAccess,
    TokenVerifier,
)
from modstream.producers.gateway.security.errors import LibraryMissing
from modstream.producers.gateway.security.key_file import KeyFile
from modstream.producers.gateway.security.known_keys import KnownKeys
from modstream.producers.gateway.security.tls import read_tls
from modstream.producers.gateway.settings import GatewaySettings
from modstream.registry.api_keys import open_key_store
from modstream.settings import Settings


class GatewayAccess(NamedTuple):
    """Decides about calls; the threads, not started yet, keep up with keys that change."""

    control: AccessControl
    threads: Sequence[BackgroundThread]


@contextmanager
def open_access(settings: Settings) -> Iterator[GatewayAccess]:
    """Read the keys and the certificate, and yield who may call.

    Raises:
        InvalidSettings: the address can be reached from other machines and there is no key, or the
            settings of tokens are incomplete.
        KeyFileUnusable: the file of the API keys is missing or damaged.
        TlsUnusable: the certificate or its key cannot be used.
        LibraryMissing: the package for tokens is not installed.
        IssuerUnusable: the issuer of tokens has no https address.
    """
    gateway = settings.gateway
    read_tls(gateway)
    tokens, token_threads = open_tokens(gateway)
    if gateway.api_keys is not None:
        KeyFile(gateway.api_keys).read()
    with open_key_store(settings) as store:
        keys = KnownKeys(store)
        keys.refresh()
        check_exposure(gateway, keys)
        control = AuthenticatedAccess(keys, tokens, open_without_keys=not needs_key(gateway))
        log_access(gateway, keys)
        yield GatewayAccess(
            control, (BackgroundThread("gateway-api-keys", keys.watch), *token_threads)
        )


def open_tokens(
    gateway: GatewaySettings,
) -> tuple[TokenVerifier | None, tuple[BackgroundThread, ...]]:
    """Return what verifies tokens, with its thread; None without an issuer.

    Raises:
        InvalidSettings: there is an issuer and no audience.
        LibraryMissing: the package for tokens is not installed.
        IssuerUnusable: the issuer has no https address.
    """
    if not gateway.oidc_issuer:
        return None, ()
    if not gateway.oidc_audience:
        problem = (
            "gateway.oidc_audience: it is empty, so that tokens for other services of"
            f" {gateway.oidc_issuer} would be accepted"
        )
        raise InvalidSettings([problem])
    try:
        from modstream.producers.gateway.security.bearer_tokens import (  # noqa: PLC0415 - an extra
            BearerTokens,
        )
        from modstream.producers.gateway.security.issuer_keys import (  # noqa: PLC0415
            IssuerKeys,
            check_url,
        )
    except ImportError:
        raise LibraryMissing("oidc") from None
    check_url(gateway.oidc_issuer, gateway.oidc_issuer)
    keys = IssuerKeys(gateway.oidc_issuer)
    thread = BackgroundThread("gateway-token-keys", keys.watch)
    return BearerTokens(keys, gateway.oidc_audience), (thread,)


def needs_key(gateway: GatewaySettings) -> bool:
    """Return whether callers need a key even if there is none."""
    return (
        gateway.require_key
        or gateway.api_keys is not None
        or bool(gateway.oidc_issuer)
        or not is_loopback(gateway.host)
    )


def check_exposure(gateway: GatewaySettings, keys: KnownKeys) -> None:
    """Check that an address which other machines reach has keys, or will have some by intent.

    If the keys cannot be read yet, nobody gets in until they can.

    Raises:
        InvalidSettings: it has not.
    """
    is_intended = gateway.require_key or bool(gateway.oidc_issuer)
    if is_loopback(gateway.host) or is_intended or keys.have_existed or not keys.are_known:
        return
    problem = (
        f"gateway.host: other machines can reach {gateway.host}, and there is no API key; create"
        " one before with `modstream keys create`, or listen on 127.0.0.1"
    )
    raise InvalidSettings([problem])


def log_access(gateway: GatewaySettings, keys: KnownKeys) -> None:
    """Log who may call, and whether keys can be overheard."""
    log = structlog.get_logger(__name__)
    if not needs_key(gateway) and keys.are_known and not keys.have_existed:
        log.info("without keys: only this machine may call", host=gateway.host)
        return
    tokens = {"issuer": gateway.oidc_issuer} if gateway.oidc_issuer else {}
    log.info("callers need a key", **tokens)
    if keys.are_known and not keys.have_existed and not gateway.oidc_issuer:
        log.warning("no API key exists: nobody may call before `modstream keys create`")
    if gateway.tls_certificate is None and not is_loopback(gateway.host):
        log.warning(
            "keys and data travel unencrypted: set gateway.tls_certificate, or end TLS before"
            " the gateway"
        )


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
