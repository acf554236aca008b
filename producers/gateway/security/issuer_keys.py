"""The public keys of an issuer of tokens (OpenID Connect Discovery 1.0, RFC 7517).

They are fetched in a background thread and looked up without I/O.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from threading import Event
from time import monotonic
from typing import Any, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, build_opener

import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK, PyJWTError

from modstream.producers.gateway.access import InvalidCredentials
from modstream.producers.gateway.errors import NotServing
from modstream.producers.gateway.security.errors import IssuerUnusable

DISCOVERY_PATH = "/.well-known/openid-configuration"
REFRESH_SECONDS = 300.0
"""How often the keys are fetched without cause, so that a withdrawn key ends."""
MIN_GAP_SECONDS = 10.0
"""The shortest time between two fetches, whatever the tokens of callers name."""
TICK_SECONDS = 0.2
TIMEOUT_SECONDS = 5.0
MAX_BYTES = 1024 * 1024
MAX_KEYS = 100
MIN_RSA_BITS = 2048
PUBLIC_FIELDS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
"""Fields of a key by its type. Symmetric keys are not among them."""
CURVES = {"RSA": None, "EC": "P-256", "OKP": "Ed25519"}
ALGORITHMS = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}
"""The one algorithm of each type of key: the key decides how it is used, not the token."""


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """A public key, and the algorithm of its signatures."""

    algorithm: str
    key: Any


KeysById = Mapping[str, IssuerKey]


class IssuerKeys:
    """The keys of the last successful fetch; they stay valid while none succeeds."""

    def __init__(
        self,
        issuer: str,
        fetch: Callable[[str], KeysById] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.issuer = issuer
        self._fetch, self._clock = fetch or fetch_keys, clock
        self._keys: KeysById | None = None
        self._problem = "it was not asked yet"
        self._fetched_at = float("-inf")
        self._is_wanted = False
        self._log = structlog.get_logger(__name__).bind(issuer=issuer)

    @property
    def known(self) -> KeysById | None:
        """The keys of the last successful fetch, another object after each; None before one."""
        return self._keys

    def find(self, key_id: str | None) -> IssuerKey:
        """Return the key that a token names, or the only one if it names none.

        Raises:
            InvalidCredentials: the issuer has no such key.
            NotServing: the keys are not known, or are fetched again because of this one.
        """
        keys = self._keys
        if keys is None:
            raise NotServing(f"the keys of the issuer of tokens are not known: {self._problem}")
        if key_id is None and len(keys) == 1:
            return next(iter(keys.values()))
        found = keys.get(key_id or "")
        if found is not None:
            return found
        if key_id is not None and self._clock() - self._fetched_at >= MIN_GAP_SECONDS:
            self._is_wanted = True
            raise NotServing("this token names a new key, which the issuer is being asked for")
        raise InvalidCredentials("this token is signed with a key that its issuer does not have")

    def refresh(self) -> None:
        """Fetch the keys; the first failure is logged."""
        self._is_wanted = False
        try:
            self._keys = self._fetch(self.issuer)
        except IssuerUnusable as error:
            if self._problem != error.reason:
                self._log.warning("keys of tokens unreadable", cause=error.reason)
            self._problem = error.reason
        else:
            if self._problem:
                self._log.info("keys of tokens read", keys=len(self._keys))
            self._problem = ""
        self._fetched_at = self._clock()

    def watch(self, stop: Event) -> None:
        """Fetch the keys at once, and again when they are old or one is missing."""
        self.refresh()
        while not stop.wait(TICK_SECONDS):
            if self._is_due():
                self.refresh()

    def _is_due(self) -> bool:
        age = self._clock() - self._fetched_at
        return age >= (MIN_GAP_SECONDS if self._is_wanted or self._problem else REFRESH_SECONDS)


def fetch_keys(issuer: str) -> KeysById:
    """Return the keys of an issuer by their ids.

    Raises:
        IssuerUnusable: it does not respond, or not as OpenID Connect Discovery says.
    """
    document = _fetch_json(issuer, f"{issuer.rstrip('/')}{DISCOVERY_PATH}")
    if document.get("issuer") != issuer:
        raise IssuerUnusable(issuer, "its discovery document is that of another issuer")
    location = document.get("jwks_uri")
    if not isinstance(location, str):
        raise IssuerUnusable(issuer, "its discovery document has no jwks_uri")
    entries = _fetch_json(issuer, location).get("keys")
    if not isinstance(entries, list):
        raise IssuerUnusable(issuer, "its key set has no keys")
    keys = read_keys(entries[:MAX_KEYS])
    if not keys:
        raise IssuerUnusable(issuer, "its key set has no RSA, P-256 or Ed25519 key for signatures")
    return keys


def read_keys(entries: list[Any]) -> KeysById:
    """Return the usable keys of a key set; weak ones and those of other types are left out."""
    found = ((str(one.get("kid", "")), read_key(one)) for one in entries if isinstance(one, dict))
    return {key_id: key for key_id, key in found if key is not None}


def read_key(entry: Mapping[str, Any]) -> IssuerKey | None:
    """Return the public part of a key, or None if no token may be signed with it."""
    kind = str(entry.get("kty"))
    algorithm = ALGORITHMS.get(kind)
    if algorithm is None or entry.get("use", "sig") != "sig":
        return None
    if entry.get("alg", algorithm) != algorithm or entry.get("crv") != CURVES[kind]:
        return None
    fields = {"kty": kind, **{name: entry.get(name) for name in PUBLIC_FIELDS[kind]}}
    try:
        key = PyJWK(fields, algorithm).key
    except (PyJWTError, ValueError, TypeError, AttributeError):
        return None
    if isinstance(key, RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        return None
    return IssuerKey(algorithm, key)


def check_url(issuer: str, url: str) -> None:
    """Check that nobody on the way can replace what a URL leads to.

    Raises:
        IssuerUnusable: it is neither https nor on this machine.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and _is_loopback(parts.hostname or ""):
        return
    raise IssuerUnusable(issuer, f"{url[:200]} is not an https address")


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:  # noqa: ANN401 - urllib's
        """Follow none: it might lead to another scheme or network."""


def _fetch_json(issuer: str, url: str) -> dict[str, Any]:
    check_url(issuer, url)
    try:
        with build_opener(_NoRedirects).open(url, timeout=TIMEOUT_SECONDS) as response:
            content = response.read(MAX_BYTES + 1)
    except HTTPError as error:
        raise IssuerUnusable(issuer, f"{url} answers with status {error.code}") from None
    except (OSError, ValueError) as error:
        cause = error.reason if isinstance(error, URLError) else error
        raise IssuerUnusable(issuer, f"{url} does not respond: {cause}") from None
    if len(content) > MAX_BYTES:
        raise IssuerUnusable(issuer, f"{url} has more than {MAX_BYTES:,} bytes")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise IssuerUnusable(issuer, f"{url} has no JSON object")
    return cast("dict[str, Any]", document)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
