"""kill -9 in the middle: of a worker, of the learner, of Redis, once each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Thread
from time import monotonic

from modstream.errors import DrillImpossible
from modstream.process.supervisor import State
from modstream.stack.local_stack import Stage

PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Hit:
    """A kill that really hit: who, at which share of the replay, seconds until it was back."""

    victim: str
    at: float
    back_after: float


@dataclass(slots=True)
class Drill:
    """Kills each victim once, when the replay has come as far as its share."""

    stage: Stage
    victims: dict[str, float] = field(
        default_factory=lambda: {"worker-0": 0.25, "learner": 0.5, "redis": 0.75}
    )
    hits: list[Hit] = field(default_factory=list)
    _threads: list[Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse to kill a Redis that is not ours."""
        if self.stage.stack is None:
            raise DrillImpossible

    def advance(self, share: float) -> None:
        """Strike those whose time has come; their return is awaited in the background."""
        for victim in [name for name, at in self.victims.items() if share >= at]:
            del self.victims[victim]
            strike = self._redis if victim == "redis" else self._process
            thread = Thread(target=self._timed, args=(victim, share, strike), daemon=True)
            self._threads.append(thread)
            thread.start()

    def finish(self) -> list[Hit]:
        """Wait until all are back; returns the kills that hit, in their order."""
        for thread in self._threads:
            thread.join(PATIENCE)
        return list(self.hits)

    def _timed(self, victim: str, share: float, strike: Callable[[str], None]) -> None:
        began = monotonic()
        strike(victim)
        self.hits.append(Hit(victim, share, monotonic() - began))

    def _process(self, name: str) -> None:
        supervisor = self.stage.supervisor
        before = next(row for row in supervisor.status() if row.name == name)
        supervisor.kill(name)
        supervisor.wait_for(
            lambda rows: any(
                row.name == name
                and row.state is State.RUNNING
                and row.pid not in (None, before.pid)
                for row in rows
            ),
            PATIENCE,
        )

    def _redis(self, _name: str) -> None:
        if self.stage.stack is not None:
            self.stage.stack.redis.kill()
            self.stage.stack.redis.start()
