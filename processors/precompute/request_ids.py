"""The request ids of a precompute run: each row and attempt has its own, the same at every resume.

`nightly.4f9a1c2b.17` is row 17 of the run `nightly`; a further attempt at it ends with `~2`. The
token in the middle belongs to one run, so that a later run of the same name has other ids.
"""

from dataclasses import dataclass
from typing import NamedTuple


class RowAttempt(NamedTuple):
    """A row, by its number from 0, and the number of the attempt to have it predicted, from 1."""

    row: int
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class RequestIds:
    """The request ids of one run."""

    run: str
    token: str

    @property
    def prefix(self) -> str:
        """What all ids of the run begin with."""
        return f"{self.run}.{self.token}."

    def make(self, row: int, attempt: int = 1) -> str:
        """Return the id of an attempt at a row."""
        return f"{self.prefix}{row}" if attempt == 1 else f"{self.prefix}{row}~{attempt}"

    def parse(self, request_id: str) -> RowAttempt | None:
        """Return the row and the attempt of an id; None for the ids of others."""
        if not request_id.startswith(self.prefix):
            return None
        row, _, attempt = request_id[len(self.prefix) :].partition("~")
        if not (row.isascii() and row.isdigit()):
            return None
        if not attempt:
            return RowAttempt(int(row)) if self.make(int(row)) == request_id else None
        if not (attempt.isascii() and attempt.isdigit()):
            return None
        found = RowAttempt(int(row), int(attempt))
        return found if self.make(*found) == request_id else None
