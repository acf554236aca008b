"""Sessions of browsers: a signed cookie, and tokens against cross-site requests bound to it.

The secret is random and lives as long as the process: a restart ends all sessions.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from hashlib import sha256
from secrets import token_bytes, token_urlsafe
from time import time

import msgspec

SECRET_BYTES = 32
SESSION_SECONDS = 8 * 3600
MAX_COOKIE_LENGTH = 2048
NOTICE_SECONDS = 60
"""How long the address of a page may repeat the notice of an action."""


class Session(msgspec.Struct, frozen=True):
    """A browser's session; `user` and `key_digest` are empty before it has signed in.

    `ends` is in seconds since the epoch.
    """

    id: str
    ends: float
    user: str = ""
    key_digest: str = ""

    @property
    def is_signed_in(self) -> bool:
        """Whether the browser has sent a valid key."""
        return bool(self.key_digest)


class Sessions:
    """Creates and reads sessions; keeps nothing but its secret."""

    def __init__(self, clock: Callable[[], float] = time) -> None:
        self._secret, self._clock = token_bytes(SECRET_BYTES), clock

    def start(self, user: str = "", key_digest: str = "") -> Session:
        """Return a new session; a browser that signs in gets a new one, too."""
        return Session(token_urlsafe(16), self._clock() + SESSION_SECONDS, user, key_digest)

    def to_cookie(self, session: Session) -> str:
        """Return the signed value of a session's cookie."""
        return self._sign(b"session", msgspec.json.encode(session))

    def from_cookie(self, value: str) -> Session | None:
        """Return the session of a cookie, or None if it is forged, damaged or over."""
        content = self._verify(b"session", value)
        if content is None:
            return None
        session = msgspec.json.decode(content, type=Session)
        return session if session.ends > self._clock() else None

    def csrf_token(self, session: Session) -> str:
        """Return the token that the forms of a session carry."""
        return self._digest(b"csrf", session.id.encode()).hex()

    def is_csrf_token(self, session: Session, token: str) -> bool:
        """Return whether a token is that of a session, in constant time."""
        expected = self.csrf_token(session).encode()
        return hmac.compare_digest(expected, token.encode(errors="surrogateescape"))

    def to_notice(self, text: str) -> str:
        """Return a signed notice for the address of the page that follows an action."""
        notice = {"text": text, "ends": self._clock() + NOTICE_SECONDS}
        return self._sign(b"notice", msgspec.json.encode(notice))

    def from_notice(self, value: str) -> str:
        """Return the text of a notice; empty if it is forged, damaged or old."""
        content = self._verify(b"notice", value)
        if content is None:
            return ""
        notice = msgspec.json.decode(content)
        return str(notice["text"]) if notice["ends"] > self._clock() else ""

    def _sign(self, purpose: bytes, content: bytes) -> str:
        return f"{_to_text(content)}.{_to_text(self._digest(purpose, content))}"

    def _verify(self, purpose: bytes, value: str) -> bytes | None:
        """Return the content that was signed for a purpose, None if it was not."""
        if len(value) > MAX_COOKIE_LENGTH or not value.isascii():
            return None
        text, _, signature = value.partition(".")
        try:
            content, given = urlsafe_b64decode(text), urlsafe_b64decode(signature)
        except (Base64Error, ValueError):
            return None
        return content if hmac.compare_digest(given, self._digest(purpose, content)) else None

    def _digest(self, purpose: bytes, content: bytes) -> bytes:
        return hmac.digest(self._secret, purpose + b"\0" + content, sha256)


def _to_text(content: bytes) -> str:
    return urlsafe_b64encode(content).decode()
