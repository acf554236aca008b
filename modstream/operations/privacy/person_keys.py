"""The keys of persons, by which their pseudonyms are made, and which can be destroyed.

Each person has a random key of their own. A pseudonym is the HMAC-SHA256 of a value with it: equal
values of a person have equal pseudonyms, and nobody can compute them without the key. Once it is
destroyed, no pseudonym of the person can be told from any other again, in whatever copy it is.

The keys are in an SQLite file, which only its owner may read. It does not name the persons: a key
is found by the HMAC of the person's id with a secret of the file. The bytes of a destroyed key are
overwritten.
"""

import hmac
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from secrets import token_bytes

from modstream.errors import PersonKeysUnusable

KEY_BYTES = 32
PSEUDONYM_DIGITS = 32
"""Hexadecimal digits of a pseudonym: 128 bits, so that no two values have the same one."""
SECRET = b""
"""Where the secret of the file is: no person has this index."""


class PersonKeys:
    """The keys of an installation's persons, in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def of(self, persons: Iterable[str]) -> dict[str, bytes]:
        """Return the keys of persons by their ids; a new person gets a new key.

        Raises:
            PersonKeysUnusable: the file cannot be read or written.
        """
        with self._opened() as connection:
            secret = _key(connection, SECRET)
            return {one: _key(connection, _index(secret, one)) for one in dict.fromkeys(persons)}

    def has(self, person: str) -> bool:
        """Return whether a person has a key.

        Raises:
            PersonKeysUnusable: the file cannot be read.
        """
        if not self._path.exists():
            return False
        with self._opened() as connection:
            index = _index(_key(connection, SECRET), person)
            found = connection.execute("SELECT 1 FROM keys WHERE person = ?", (index,))
            return found.fetchone() is not None

    def destroy(self, person: str) -> bool:
        """Destroy the key of a person for good; return whether there was one.

        Raises:
            PersonKeysUnusable: the file cannot be read or written.
        """
        if not self._path.exists():
            return False
        with self._opened() as connection:
            index = _index(_key(connection, SECRET), person)
            done = connection.execute("DELETE FROM keys WHERE person = ?", (index,))
            return bool(done.rowcount)

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


def pseudonym(key: bytes, column: str, value: str) -> str:
    """Return the pseudonym of a person's value in a column."""
    digest = hmac.new(key, f"{column}\0{value}".encode(), sha256).hexdigest()
    return digest[:PSEUDONYM_DIGITS]


def _index(secret: bytes, person: str) -> bytes:
    return hmac.digest(secret, person.encode(), "sha256")


def _key(connection: sqlite3.Connection, index: bytes) -> bytes:
    """Return the key at an index, a new one if there is none."""
    connection.execute("INSERT OR IGNORE INTO keys VALUES (?, ?)", (index, token_bytes(KEY_BYTES)))
    (found,) = connection.execute("SELECT key FROM keys WHERE person = ?", (index,)).fetchone()
    return bytes(found)
