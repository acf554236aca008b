"""The border to the machine-learning libraries: nothing of theirs is raised past it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from modstream.models.errors import ModelError


@contextmanager
def translated(error: Callable[[str], ModelError]) -> Iterator[None]:
    """Raise anything that foreign code raises inside as `error(reason)`.

    Errors of this room pass as they are, and so do requests to stop.
    """
    try:
        yield
    except (ModelError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    # A panic in River's Rust part arrives as a BaseException that has no importable name, and
    # neither ONNX Runtime nor a pickle limits what it may raise.
    except BaseException as cause:
        raise error(f"{type(cause).__name__}: {cause}") from cause
