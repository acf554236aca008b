"""Where a shared study is kept: Optuna's journal in a file, or its tables in a database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep

from optuna.exceptions import OptunaError
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalStorage
from sqlalchemy.exc import SQLAlchemyError

from modstream.models.training.errors import StudyUnusable
from modstream.models.training.masked_urls import mask_passwords
from modstream.models.training.study_lock import StudyFileLock

SQLITE_TIMEOUT = 60
CREATION_SECONDS = 2.0


def open_storage(location: str) -> BaseStorage:
    """Return the storage in a file, or in the database at a URL of SQLAlchemy's form.

    Raises:
        OSError: the file cannot be opened.
        SQLAlchemyError: the database cannot be opened; there are further errors of drivers.
    """
    if "://" not in location:
        path = Path(location)
        return JournalStorage(JournalFileBackend(str(path), StudyFileLock(path)))
    is_sqlite = location.startswith("sqlite")
    arguments = {"connect_args": {"timeout": SQLITE_TIMEOUT}} if is_sqlite else {}
    options = {"pool_pre_ping": True, **arguments}
    try:
        return RDBStorage(location, engine_kwargs=options)
    except SQLAlchemyError:
        # Another process may have created the tables at the same time.
        sleep(CREATION_SECONDS)
        return RDBStorage(location, engine_kwargs=options)


@contextmanager
def usable_storage(location: str) -> Iterator[None]:
    """Translate what a storage raises; the location has no password.

    Raises:
        StudyUnusable: the storage cannot be read or written.
    """
    try:
        yield
    except (OptunaError, SQLAlchemyError, ImportError, OSError, ValueError) as error:
        reason = mask_passwords(f"{error}".partition("\n")[0])
        raise StudyUnusable(location, reason or type(error).__name__) from None
