"""The whole system on this machine: servers, worker, joiner and learner as processes."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from modstream.process.supervisor import Backoff, Command, Supervisor
from modstream.settings import Settings, are_configured, load_settings
from modstream.stack.embedded.stack import Stack
from modstream.stack.signing_keys import own_key

SOON = Backoff(first=0.2, longest=10.0, healthy=20.0)


@dataclass(frozen=True, slots=True)
class Stage:
    """What runs: `settings` name the servers; `stack` is None when they are somebody else's."""

    settings: Settings
    stack: Stack | None
    supervisor: Supervisor

    def start(self, workers: int, learner: str | None) -> None:
        """Start the application's processes; they wait by themselves for what is missing."""
        environment = environment_of(self.settings)
        for slot in range(workers):
            self._start(f"worker-{slot}", environment, "worker", "--slot", str(slot))
        self._start("joiner", environment, "joiner")
        if learner is not None:
            self._start("learner", environment, "learner", "--model", learner)

    def _start(self, name: str, environment: dict[str, str], *arguments: str) -> None:
        argv = (sys.executable, "-m", "modstream", *arguments)
        self.supervisor.start(Command(name, argv, environment))


@contextmanager
def stage(
    settings: Settings, folder: Path, *, fresh: bool = False, ports: tuple[int, int] = (0, 0)
) -> Iterator[Stage]:
    """Servers to run on, and a supervisor; everything that was started ends with the context.

    Servers that the settings name are used as they are. Otherwise Kafka and Redis are started
    from `folder`, which is emptied first if it shall be `fresh`, on `ports`, of which 0 is any.

    Raises:
        StackError: the servers cannot be started.
    """
    with ExitStack() as undo:
        if are_configured(settings):
            stack = None
        else:
            if fresh:
                shutil.rmtree(folder, ignore_errors=True)
            stack = undo.enter_context(Stack(folder, *ports))
            key, public = own_key(settings.home)
            settings = load_settings(
                **settings.model_dump(
                    exclude={"bootstrap", "redis", "cellar", "signing_key", "trusted_keys"}
                ),
                bootstrap=stack.bootstrap,
                redis=stack.redis_url,
                # Beside the Redis whose models they are: the demo's are not those of `up`.
                cellar=settings.cellar or folder / "cellar",
                signing_key=settings.signing_key or key,
                trusted_keys=settings.trusted_keys or (public,),
            )
        yield Stage(settings, stack, undo.enter_context(Supervisor(folder, SOON)))


def environment_of(settings: Settings) -> dict[str, str]:
    """This process's environment, with all settings spelled out, for a child."""
    found = {
        f"MODSTREAM_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in settings.model_dump(mode="json").items()
        if value is not None
    }
    return {**os.environ, **found}
