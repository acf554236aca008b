"""How the command of a service waits for its broker, and follows the local stack.

If it has found the local stack of its home directory by itself, it starts anew with the same
process id when that stack has ended or has other addresses, and waits for the next one.
"""

import os
import sys
from collections.abc import Callable
from threading import Event

import structlog

from modstream.cli.servers import check_redis_login, wait_for_stream
from modstream.errors import StackError
from modstream.process.background import BackgroundThread
from modstream.process.signals import stop_signals
from modstream.rights.check import require_rights
from modstream.rights.rights import Role
from modstream.running_stack import read_running_stack
from modstream.settings import Settings

CHECK_SECONDS = 1.0
"""How often a service looks whether its local stack still runs."""
RIGHTS_TIMEOUT_S = 5.0
"""How long the brokers have to say what the login of a service may do."""
AWAIT_STACK = "_MODSTREAM_AWAIT_STACK"
"""Environment variable of a service that starts anew, and must not join any other stack meanwhile,
such as one at Kafka's usual port."""
ADDRESSES = ("bootstrap", "redis")


def wait_until_ready(
    load: Callable[[], Settings], role: Role, *, needs_redis: bool = True
) -> Settings | None:
    """Wait until a broker answers; return the settings, or None if a signal ended the wait.

    Raises:
        RightMissing: the login lacks a right of the service's role.
        KafkaLoginRefused: a broker does not accept the login.
        RedisLoginRefused: the service needs Redis, which does not accept the login.
        UnknownName: the cluster has no topic of the settings' stream.
    """
    before = load()
    with stop_signals() as stop:
        if os.environ.pop(AWAIT_STACK, ""):
            while not read_running_stack(before.home) and not stop.wait(CHECK_SECONDS):
                pass
        settings = wait_for_stream(load, stop)
        if stop.is_set():
            return None
    require_rights(settings, role, RIGHTS_TIMEOUT_S)
    if needs_redis:
        check_redis_login(settings)
    if settings.stream != before.stream:
        start_anew()  # The slot of this process is that of another stream.
    return settings


def follow_stack(settings: Settings, load: Callable[[], Settings]) -> BackgroundThread:
    """Return a thread that starts this command anew when the settings lead to other servers.

    The servers of before have ended then, so that nothing could be shut down in order.
    """
    home, seen = settings.home, read_running_stack(settings.home)

    def watch(stop: Event) -> None:
        nonlocal seen
        while not stop.wait(CHECK_SECONDS):
            stack = read_running_stack(home)
            if stack == seen:
                continue
            found = load()
            seen = stack
            if any(getattr(found, name) != getattr(settings, name) for name in ADDRESSES):
                structlog.get_logger(__name__).warning(
                    "the local stack has other addresses: starting anew"
                    if stack
                    else "the local stack ended: waiting for the next `modstream up`"
                )
                start_anew()

    return BackgroundThread("stack-follower", watch, retry_on=(StackError,))


def start_anew() -> None:
    """Replace this process by a new one with the same command and process id."""
    sys.stdout.flush()
    sys.stderr.flush()
    command = [sys.executable, *sys.orig_argv[1:]]
    os.execve(command[0], command, {**os.environ, AWAIT_STACK: "yes"})  # noqa: S606
