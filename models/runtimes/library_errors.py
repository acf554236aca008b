"""Translation of exceptions of machine-learning libraries into errors of `models.errors`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from modstream.models.errors import ModelError


@contextmanager
def translate_library_errors(error: Callable[[str], ModelError]) -> Iterator[None]:
    """Raise any exception raised inside the context as `error(reason)`.

    A `ModelError` passes unchanged, and so do requests to stop, such as KeyboardInterrupt.
    """
    try:
        yield
    except (ModelError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    # A panic in River's Rust code is a BaseException without an importable name, and ONNX Runtime
    # and unpickled code may raise anything.
    except BaseException as cause:
        raise error(f"{type(cause).__name__}: {cause}") from cause
