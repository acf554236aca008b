"""Tokens of OpenID Connect: signed JSON Web Tokens with scopes (RFC 7519, RFC 8725)."""

from collections.abc import Callable, Mapping
from time import time
from typing import Any, NamedTuple

import jwt

from modstream.producers.gateway.access import InvalidCredentials
from modstream.producers.gateway.security.api_key import digest
from modstream.producers.gateway.security.issuer_keys import IssuerKeys, KeysById
from modstream.producers.gateway.security.scopes import Caller, parse_known_scopes

LEEWAY_SECONDS = 30
"""How far the clocks of issuer and gateway may differ."""
MAX_TOKEN_LENGTH = 16 * 1024
MAX_REMEMBERED = 10_000
"""The number of verified tokens that are remembered."""
MAX_SUBJECT_LENGTH = 255
REQUIRED_CLAIMS = ("iss", "aud", "exp", "sub")
CALLER_PREFIX = "oidc:"
"""Separates subjects from the names of API keys, which have no colon."""
REASONS: Mapping[type[Exception], str] = {
    jwt.ExpiredSignatureError: "has expired",
    jwt.ImmatureSignatureError: "is not valid yet",
    jwt.InvalidAudienceError: "is for another audience",
    jwt.InvalidIssuerError: "is of another issuer",
    jwt.InvalidSignatureError: "has a wrong signature",
    jwt.MissingRequiredClaimError: f"lacks one of the claims {', '.join(REQUIRED_CLAIMS)}",
}


class Verified(NamedTuple):
    """The caller of a verified token; it stays valid until its end, as long as the keys do."""

    caller: Caller
    end: float
    keys: KeysById | None


class BearerTokens:
    """Verifies tokens of one issuer for one audience, without I/O.

    A signature is verified once for each set of the issuer's keys: it takes up to 100 times as long
    as all else that a call needs.
    """

    def __init__(self, keys: IssuerKeys, audience: str, clock: Callable[[], float] = time) -> None:
        self._keys, self._audience, self._clock = keys, audience, clock
        self._verified: dict[str, Verified] = {}

    def verify(self, token: str) -> Caller:
        """Return the caller that a token was issued for.

        Raises:
            InvalidCredentials: the token is invalid.
            NotServing: the issuer's keys are not known.
        """
        name, keys = digest(token), self._keys.known
        found = self._verified.get(name)
        if found is not None and found.keys is keys and self._clock() < found.end:
            return found.caller
        caller, end = self._verify(token)
        if len(self._verified) >= MAX_REMEMBERED:
            self._verified.clear()
        self._verified[name] = Verified(caller, end, keys)
        return caller

    def _verify(self, token: str) -> tuple[Caller, float]:
        if len(token) > MAX_TOKEN_LENGTH:
            raise _invalid(f"has more than {MAX_TOKEN_LENGTH:,} characters")
        header = _read_header(token)
        if "crit" in header or "b64" in header:
            raise _invalid("demands an extension that is not supported")
        key_id = header.get("kid")
        key = self._keys.find(key_id if isinstance(key_id, str) else None)
        if header.get("alg") != key.algorithm:
            raise _invalid("is not signed with the algorithm of its key")
        claims = self._read_claims(token, key.key, key.algorithm)
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_LENGTH:
            raise _invalid("has no usable subject")
        caller = Caller(CALLER_PREFIX + subject, parse_known_scopes(read_scopes(claims)))
        return caller, int(claims["exp"]) + LEEWAY_SECONDS

    def _read_claims(self, token: str, key: Any, algorithm: str) -> dict[str, Any]:  # noqa: ANN401
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._keys.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": list(REQUIRED_CLAIMS)},
            )
        except jwt.PyJWTError as error:
            raise _invalid(REASONS.get(type(error), "is malformed")) from None
        except (ValueError, TypeError, ArithmeticError, RecursionError):
            raise _invalid("is malformed") from None


def read_scopes(claims: Mapping[str, Any]) -> list[str]:
    """Return the texts of the claims `scope` and `scp`, each a list or parted by spaces."""
    found: list[str] = []
    for name in ("scope", "scp"):
        value = claims.get(name, "")
        parts = value.split() if isinstance(value, str) else value
        if isinstance(parts, list):
            found += [one for one in parts if isinstance(one, str)]
    return found


def _read_header(token: str) -> dict[str, Any]:
    try:
        return jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise _invalid("is neither an API key nor a JSON Web Token") from None


def _invalid(reason: str) -> InvalidCredentials:
    return InvalidCredentials(f"this token {reason}")
