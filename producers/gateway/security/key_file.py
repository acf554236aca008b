"""The API keys in a JSON file, which is written as a whole and readable by its owner only."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from modstream.producers.gateway.security.api_key import ApiKey
from modstream.producers.gateway.security.errors import KeyExists, KeyFileUnusable

OWNER_ONLY = 0o600


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid")

    keys: tuple[ApiKey, ...]


class KeyFile:
    """A file of API keys, which several processes may change and read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parsed: tuple[bytes | None, tuple[ApiKey, ...]] = (None, ())

    def read(self) -> tuple[ApiKey, ...]:
        """Return the keys, in the order of their creation.

        Raises:
            KeyFileUnusable: the file is missing or damaged.
        """
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            reason = "does not exist; `modstream keys create` creates it"
            raise KeyFileUnusable(self._path, reason) from None
        except OSError as error:
            raise self._unusable("read", error) from None
        if content != self._parsed[0]:
            self._parsed = (content, self._parse(content))
        return self._parsed[1]

    def add(self, key: ApiKey) -> None:
        """Add a key; the file is created if it is missing.

        Raises:
            KeyExists: a key has its name.
            KeyFileUnusable: the file is damaged, or cannot be written.
        """

        def added(keys: tuple[ApiKey, ...]) -> tuple[ApiKey, ...]:
            if any(one.name == key.name for one in keys):
                raise KeyExists(key.name)
            return (*keys, key)

        self._change(added)

    def remove(self, name: str) -> bool:
        """Remove a key, and return whether there was one.

        Raises:
            KeyFileUnusable: the file is missing or damaged, or cannot be written.
        """
        if all(one.name != name for one in self.read()):
            return False
        self._change(lambda keys: tuple(one for one in keys if one.name != name))
        return True

    def _change(self, change: Callable[[tuple[ApiKey, ...]], tuple[ApiKey, ...]]) -> None:
        try:
            with self._locked():
                keys = self.read() if self._path.exists() else ()
                self._write(_Content(keys=change(keys)).model_dump_json(indent=2).encode() + b"\n")
        except OSError as error:
            raise self._unusable("written", error) from None

    def _write(self, content: bytes) -> None:
        """Replace the file, so that readers find the old content or the new one, never a part."""
        target = self._path.resolve()  # A symbolic link stays one.
        part = target.with_name(f"{target.name}.part")
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other writers out; the kernel frees the lock of a process that ends."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lock = self._path.with_name(f"{self._path.name}.lock")
        descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _parse(self, content: bytes) -> tuple[ApiKey, ...]:
        try:
            return _Content.model_validate_json(content).keys
        except ValidationError as error:
            problem = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, problem["loc"]))
            reason = f"is damaged: {place}{': ' if place else ''}{problem['msg']}"
            raise KeyFileUnusable(self._path, reason) from None

    def _unusable(self, verb: str, error: OSError) -> KeyFileUnusable:
        return KeyFileUnusable(self._path, f"cannot be {verb}: {error.strerror or error}")
