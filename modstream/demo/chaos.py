"""The chaos drill of the demo: kill a worker, the learner and Redis with SIGKILL, once each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from time import monotonic

from modstream.errors import ChaosNotAllowed
from modstream.process.background import BackgroundThread
from modstream.process.supervisor import ProcessState
from modstream.stack.local_stack import LocalStack

RECOVERY_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class KillResult:
    """A completed kill: the target, the share of the replay, the seconds until recovery."""

    target: str
    replay_share: float
    recovery_seconds: float


@dataclass(slots=True)
class ChaosDrill:
    """A drill that kills each target once, when the replay has reached the target's share."""

    local_stack: LocalStack
    targets: dict[str, float] = field(
        default_factory=lambda: {"worker-0": 0.25, "learner": 0.5, "redis": 0.75}
    )
    results: list[KillResult] = field(default_factory=list)
    _threads: list[BackgroundThread] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Raise `ChaosNotAllowed` if the servers were not started by this stack."""
        if self.local_stack.servers is None:
            raise ChaosNotAllowed

    def kill_due(self, replay_share: float) -> None:
        """Kill the targets whose share is reached; wait for their recovery in the background."""
        for target in [name for name, at in self.targets.items() if replay_share >= at]:
            del self.targets[target]
            kill = self._kill_redis if target == "redis" else self._kill_process
            run = partial(self._kill_and_time, target, replay_share, kill)
            self._threads.append(BackgroundThread(f"chaos-{target}", run).start())

    def wait_for_recovery(self) -> list[KillResult]:
        """Wait until all targets have recovered, and return the completed kills in order."""
        for thread in self._threads:
            thread.join(RECOVERY_TIMEOUT_S)
            thread.raise_if_failed()
        return list(self.results)

    def _kill_and_time(
        self, target: str, replay_share: float, kill: Callable[[str], None], _stop: Event
    ) -> None:
        start = monotonic()
        kill(target)
        self.results.append(KillResult(target, replay_share, monotonic() - start))

    def _kill_process(self, name: str) -> None:
        supervisor = self.local_stack.supervisor
        before = next(row for row in supervisor.status() if row.name == name)
        supervisor.kill(name)
        supervisor.wait_for(
            lambda rows: any(
                row.name == name
                and row.state is ProcessState.RUNNING
                and row.pid not in (None, before.pid)
                for row in rows
            ),
            RECOVERY_TIMEOUT_S,
        )

    def _kill_redis(self, _name: str) -> None:
        if self.local_stack.servers is not None:
            self.local_stack.servers.redis.kill()
            self.local_stack.servers.redis.start()
