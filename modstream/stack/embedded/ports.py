"""TCP ports of this machine: choose a free one, or find the process that uses one."""

import random
import socket

import psutil

from modstream.errors import PortInUse

HOST = "127.0.0.1"
DEFAULT_KAFKA_PORT = 9092
DEFAULT_REDIS_PORT = 6379
DEFAULT_HTTP_PORT = 8080
DEFAULT_GRPC_PORT = 8081
DEFAULT_DASHBOARD_PORT = 8501
MAX_PORT = 65_535
# Below the ephemeral ports of Linux (from 32768) and macOS (from 49152): from those, a client that
# reconnects to a stopped server can be assigned the server's own port, which is taken then.
PORT_RANGE = range(20_000, 32_000)


def free_port(*excluded: int) -> int:
    """Return a random port that no process listens on, and that is none of `excluded`."""
    # The system's generator: tests that seed the global one must not get the same ports.
    shuffled = random.SystemRandom().sample(PORT_RANGE, len(PORT_RANGE))
    return next(port for port in shuffled if port not in excluded and is_free(port))


def preferred_port(port: int) -> int:
    """Return a port if it is free, else 0, which chooses a free one."""
    return port if is_free(port) else 0


def preferred_or_free(port: int, excluded: int = 0) -> int:
    """Return a port if it is free, else a random free one that is not `excluded`."""
    return port if is_free(port) else free_port(excluded)


def is_free(port: int) -> bool:
    """Return whether a server could listen on this port of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def require_free(port: int) -> None:
    """Raise PortInUse, with the owner if it is known, unless the port is free."""
    if not is_free(port):
        raise PortInUse(port, find_owner(port))


def find_owner(port: int) -> str | None:
    """Return the process that listens on a port as `name (pid 1)`, None if it is unknown."""
    try:
        listeners = (c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN)
        pid = next((c.pid for c in listeners if c.laddr and c.laddr.port == port), None)
        return f"{psutil.Process(pid).name()} (pid {pid})" if pid else None
    except psutil.Error:
        return None
