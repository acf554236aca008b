"""Files that have their names only once they are complete."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modstream.operations.inference_log.log_folder import sync


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Yield where to write a file; it replaces the file of this name when the context ends.

    After an error the file is as it was. A process that is killed leaves a partial file beside it,
    which the next call replaces.

    Raises:
        OSError: the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync(partial)
    partial.replace(path)
    sync(path.parent)
