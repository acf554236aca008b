"""Reads aliases; where keys are trusted, an alias points where its last signed move says."""

from threading import Lock

import structlog

from modstream.models.registry.errors import UntrustedAlias
from modstream.models.registry.queries import RegistryQueries
from modstream.models.registry.served_aliases import ServedAliases
from modstream.models.security.alias_move import SignedMove
from modstream.models.security.signing import Trust

log = structlog.get_logger(__name__)


class AliasReader:
    """Reads the aliases of one registry; safe to use from several threads.

    Without trusted keys, an alias points at the version beside it in Redis. With keys, three things
    are errors: a move that no trusted key has signed for this installation, a version beside the
    alias that is not that of the move, and a move older than one that was seen before.

    Args:
        queries: reads the registry.
        trust: the keys by which moves must be signed.
        served: what was served on this machine before this process started, if it is recorded.
    """

    def __init__(
        self, queries: RegistryQueries, trust: Trust, served: ServedAliases | None
    ) -> None:
        self._queries = queries
        self._trust = trust
        self._served = served
        self._newest: dict[tuple[str, str], SignedMove] = {}
        self._logged: dict[tuple[str, str], str] = {}
        self._lock = Lock()

    def version(self, name: str, alias: str) -> int | None:
        """Return the version that an alias points at, None if there is no such alias.

        Raises:
            UntrustedAlias: its last move is not trusted.
        """
        if self._trust.is_unrestricted:
            return self._queries.alias(name, alias)
        move = self._queries.move(name, alias)
        version = self._queries.alias(name, alias)
        if move is None and version is None:
            return None
        if move is None or version != move.version:
            # The alias may have moved between the two reads, and then its move is another one.
            again = self._queries.move(name, alias)
            if again != move:
                return self.version(name, alias)
        problem = self._problem(name, alias, move, version)
        if move is None or problem is not None:
            raise UntrustedAlias(name, alias, problem or "")
        self._note(move)
        return move.version

    def versions(self, name: str) -> dict[str, int]:
        """Return the version of each alias, sorted by alias.

        An alias that is not trusted points where its newest trusted move says that was seen here,
        and is left out without one. It is logged once.
        """
        found = self._queries.aliases(name)
        if self._trust.is_unrestricted:
            return found
        moves = self._queries.moves(name)
        versions = {}
        for alias in sorted(found.keys() | moves.keys()):
            move = moves.get(alias)
            problem = self._problem(name, alias, move, None if move is None else move.version)
            if problem is not None:
                self._log(name, alias, problem)
                move = self.newest(name, alias)
            elif move is not None:
                self._note(move)
            if move is not None:
                versions[alias] = move.version
        return versions

    def newest(self, name: str, alias: str) -> SignedMove | None:
        """Return the newest trusted move of an alias that was seen here, if there is one."""
        with self._lock:
            seen = self._newest.get((name, alias))
        if seen is not None or self._served is None:
            return seen
        stored = self._served.get(name, alias)
        return stored if self._trust.move_problem(stored, name, alias) is None else None

    def _problem(
        self, name: str, alias: str, move: SignedMove | None, version: int | None
    ) -> str | None:
        """Return why an alias is not trusted, None if it is."""
        problem = self._trust.move_problem(move, name, alias)
        if problem is not None or move is None:
            return problem
        if version != move.version:
            return f"it points at version {version}, and its signed move at version {move.version}"
        newest = self.newest(name, alias)
        if newest is not None and move.sequence < newest.sequence:
            return (
                f"its move to version {move.version} is older than one to version {newest.version},"
                " which was seen before"
            )
        return None

    def _note(self, move: SignedMove) -> None:
        key = move.model, move.alias
        with self._lock:
            seen = self._newest.get(key)
            if seen is None or seen.sequence <= move.sequence:
                self._newest[key] = move

    def _log(self, name: str, alias: str, problem: str) -> None:
        if self._logged.get((name, alias)) != problem:
            self._logged[name, alias] = problem
            log.error("alias not trusted", model=name, alias=alias, reason=problem)
