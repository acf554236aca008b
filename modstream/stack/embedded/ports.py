"""Ports of this machine: choose a free one, or say who holds the one asked for."""

import random
import socket

import psutil

from modstream.errors import PortTaken

HOST = "127.0.0.1"
# Below the ephemeral range of Linux (from 32768) and macOS (from 49152): there a client that
# keeps dialling a dead server can be given the server's own port, and then it is taken for good.
CHOICE = range(20_000, 32_000)


def free_port(besides: int = 0) -> int:
    """Choose at random a port that nobody listens on and that is not `besides`."""
    # The system's randomness: a test that seeds the global generator must not repeat our choice.
    shuffled = random.SystemRandom().sample(CHOICE, len(CHOICE))
    return next(port for port in shuffled if port != besides and is_free(port))


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def require_free(port: int) -> None:
    """Raise PortTaken, naming the owner where the system tells, unless the port is free."""
    if not is_free(port):
        raise PortTaken(port, owner(port))


def owner(port: int) -> str | None:
    """Name the process that listens on a port as `name (pid 1)`, None if the system won't tell."""
    try:
        listeners = (c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN)
        pid = next((c.pid for c in listeners if c.laddr and c.laddr.port == port), None)
        return f"{psutil.Process(pid).name()} (pid {pid})" if pid else None
    except psutil.Error:
        return None
