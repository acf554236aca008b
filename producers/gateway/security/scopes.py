"""Scopes: what a caller may do with which streams, written VERB:STREAM."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Self

from modstream.producers.gateway.access import Forbidden, Verb
from modstream.producers.gateway.security.errors import InvalidScope

ANY_STREAM = "*"
SCOPE = re.compile(rf"({'|'.join(Verb)}):(\*|[A-Za-z0-9][A-Za-z0-9._-]{{0,199}})")


class Scope(NamedTuple):
    """One verb on one stream, or on all streams."""

    verb: Verb
    stream: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the scope that a text names.

        Raises:
            InvalidScope: it names none.
        """
        found = SCOPE.fullmatch(text)
        if found is None:
            raise InvalidScope(text)
        return cls(Verb(found[1]), found[2])


def parse_known_scopes(texts: Iterable[str]) -> frozenset[Scope]:
    """Return the scopes among texts of which others may mean something elsewhere."""
    return frozenset(Scope.parse(text) for text in texts if SCOPE.fullmatch(text))


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller that has proved who it is, and what it may do."""

    name: str
    """Its name; no key and no token share one."""
    scopes: frozenset[Scope]

    def check(self, verb: Verb, stream: str) -> None:
        """Check that the caller may do this.

        Raises:
            Forbidden: none of its scopes permits it.
        """
        if (verb, stream) in self.scopes or (verb, ANY_STREAM) in self.scopes:
            return
        raise Forbidden(f"{self.name} may not {verb} on the stream {stream[:200]}")
