"""The keys of persons, by which their data are sealed and their pseudonyms made, until destroyed.

Each person has a random key of their own. A pseudonym is the HMAC-SHA256 of a value with it: equal
values of a person have equal pseudonyms, which cannot be computed without the key. Sealed data
are encrypted with it. Once it is destroyed, no pseudonym of the person can be told from any other
again, and nothing sealed can be read, in whatever copy it is.

The keys are in an SQLite file, which only its owner may read. It does not name the persons: a key
is found by the HMAC of the person's id with a secret of the file. A person whose requests are
sealed is also found by the pseudonym that these have as their key. The bytes of a destroyed key are
overwritten.
"""

import hmac
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from secrets import token_bytes

from modstream.errors import PersonKeysUnusable
from modstream.models.schema.personal import pseudonym

KEY_BYTES = 32
KEY_FIELD = "key"
"""The name of what a person's pseudonym as the key of a record is made of."""
SECRET = b""
"""Where the secret of the file is: no person has this index."""


class PersonKeys:
    """The keys of an installation's persons, in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def of_home(cls, home: Path) -> "PersonKeys":
        """Return the keys of the installation with a home directory."""
        return cls(home / "keys" / "persons.sqlite")

    def of(self, persons: Iterable[str]) -> dict[str, bytes]:
        """Return the keys of persons by their ids; a new person gets a new key.

        Raises:
            PersonKeysUnusable: the file cannot be read or written.
        """
        with self._opened() as connection:
            secret = _key(connection, SECRET)
            return {one: _key(connection, _index(secret, one)) for one in dict.fromkeys(persons)}

    def find(self, persons: Iterable[str]) -> dict[str, bytes]:
        """Return the keys that exist, by the ids or the pseudonyms of their persons.

        Raises:
            PersonKeysUnusable: the file cannot be read.
        """
        if not self._path.exists():
            return {}
        with self._opened() as connection:
            secret = _key(connection, SECRET)
            found = {one: _find(connection, _index(secret, one)) for one in dict.fromkeys(persons)}
        return {one: key for one, key in found.items() if key is not None}

    def has(self, person: str) -> bool:
        """Return whether a person has a key.

        Raises:
            PersonKeysUnusable: the file cannot be read.
        """
        return bool(self.find([person]))

    def alias(self, person: str) -> tuple[str, bytes]:
        """Return the pseudonym that a person's records have as their key, and the person's key.

        From now on the key is found by the pseudonym, too.

        Raises:
            PersonKeysUnusable: the file cannot be read or written.
        """
        with self._opened() as connection:
            secret = _key(connection, SECRET)
            key = _find(connection, _index(secret, person))
            if key is not None:
                name = pseudonym(key, KEY_FIELD, person)
                if _find(connection, _index(secret, name)) is not None:
                    return name, key
            # The lock is taken before the key is read again: it may have been destroyed meanwhile.
            connection.commit()
            connection.execute("BEGIN IMMEDIATE")
            key = _key(connection, _index(secret, person))
            name = pseudonym(key, KEY_FIELD, person)
            row = (_index(secret, name), key)
            connection.execute("INSERT OR IGNORE INTO keys VALUES (?, ?)", row)
            return name, key

    def known_alias(self, person: str) -> str | None:
        """Return the pseudonym of a person who has a key, which may have been used or not.

        Raises:
            PersonKeysUnusable: the file cannot be read.
        """
        key = self.find([person]).get(person)
        return None if key is None else pseudonym(key, KEY_FIELD, person)

    def destroy(self, person: str) -> bool:
        """Destroy the key of a person for good; return whether there was one.

        Raises:
            PersonKeysUnusable: the file cannot be read or written.
        """
        if not self._path.exists():
            return False
        with self._opened() as connection:
            secret = _key(connection, SECRET)
            connection.commit()
            # The lock is taken before the key is read: another process may be about to link it.
            connection.execute("BEGIN IMMEDIATE")
            key = _find(connection, _index(secret, person))
            if key is None:
                return False
            for name in (person, pseudonym(key, KEY_FIELD, person)):
                connection.execute("DELETE FROM keys WHERE person = ?", (_index(secret, name),))
            return True

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path.touch(mode=0o600)
            with closing(sqlite3.connect(self._path, timeout=30.0)) as connection:
                connection.execute("PRAGMA secure_delete = ON")
                with connection:
                    connection.execute(
                        "CREATE TABLE IF NOT EXISTS keys"
                        " (person BLOB PRIMARY KEY, key BLOB NOT NULL) WITHOUT ROWID"
                    )
                    yield connection
        except (sqlite3.Error, OSError) as error:
            raise PersonKeysUnusable(self._path, str(error)) from None


def _index(secret: bytes, person: str) -> bytes:
    return hmac.digest(secret, person.encode(errors="surrogatepass"), "sha256")


def _find(connection: sqlite3.Connection, index: bytes) -> bytes | None:
    """Return the key at an index, if there is one."""
    query = "SELECT key FROM keys WHERE person = ?"
    found = connection.execute(query, (index,)).fetchone()
    return None if found is None else bytes(found[0])


def _key(connection: sqlite3.Connection, index: bytes) -> bytes:
    """Return the key at an index, a new one if there is none."""
    found = _find(connection, index)
    if found is not None:
        return found
    row = (index, token_bytes(KEY_BYTES))
    connection.execute("INSERT OR IGNORE INTO keys VALUES (?, ?)", row)
    return _find(connection, index) or row[1]
