"""The progress that a database holds: it says whether the database can be continued."""

from collections.abc import Callable
from typing import TypeVar

from modstream.processors.storage.database import Database

Progress = TypeVar("Progress")


def progress_to_continue(
    database: Database,
    key: bytes,
    decode: Callable[[bytes], Progress],
    reason_to_rebuild: Callable[[Progress], str],
    undecodable: type[Exception],
) -> Progress | str:
    """Return the progress of a database that can be continued, or close it and return why not.

    Args:
        database: the open database.
        key: the row of the progress, which is written when the database is complete.
        decode: decodes the row.
        reason_to_rebuild: returns why a progress cannot be continued; empty if it can be.
        undecodable: the error of `decode` for a damaged row.

    Raises:
        StateDamaged: the files are damaged; the database is closed.
        StateUnusable: they cannot be read; the database is closed.
    """
    try:
        value = database.get(key)
        if value is None:
            reason = "it was not finished"
        else:
            progress = decode(value)
            reason = reason_to_rebuild(progress)
            if not reason:
                return progress
    except undecodable as error:
        reason = f"its progress cannot be read: {error}"
    except BaseException:
        database.close()
        raise
    database.close()
    return reason
