"""The whole system on this machine: servers, workers, joiner and learner as processes."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import SecretStr
from pydantic_core import to_jsonable_python

from modstream.broker.client.security import KafkaSecurity
from modstream.metrics_settings import METRICS_OFF
from modstream.models.registry.backup import default_backup_folder
from modstream.process.children import module_command
from modstream.process.slots import free_instances
from modstream.process.supervisor import Backoff, Command, Supervisor
from modstream.redis_security import RedisSecurity
from modstream.running_stack import HomeLock
from modstream.setting_names import variable_name
from modstream.settings import Settings, load_settings, uses_external_kafka
from modstream.stack.embedded.stack import EmbeddedServers
from modstream.stack.signing_keys import ensure_home_key

SET_ANEW = {
    *("bootstrap", "redis", "kafka_security", "redis_security"),
    *("backup_dir", "signing_key", "trusted_keys"),
}
"""The settings that depend on the servers."""
RESTART_BACKOFF = Backoff(initial_seconds=0.2, max_seconds=10.0, reset_after_seconds=20.0)


class GatewayPorts(NamedTuple):
    """The ports of a gateway."""

    http: int
    grpc: int


@dataclass(frozen=True, slots=True)
class LocalStack:
    """A running local stack.

    `settings` name the servers; `servers` is None if they were started elsewhere.
    """

    settings: Settings
    servers: EmbeddedServers | None
    supervisor: Supervisor

    def start(  # noqa: PLR0913 - one argument for each service
        self,
        workers: int,
        learner: str | None,
        gateway: GatewayPorts | None = None,
        *,
        dashboard: int | None = None,
        materializer: bool = False,
        aggregator: bool = False,
        retrained_alias: str | None = None,
    ) -> None:
        """Start workers, a joiner, and optionally a learner and other services.

        `gateway` and `dashboard` are their ports; None starts none. With `retrained_alias`, a
        retrainer publishes new versions of the learner's model under that alias.

        If answers are to have conformal sets, a calibrator is started, too. Each waits for what it
        needs. The workers get instance ids that no other worker of this home
        directory has.
        """
        environment = child_environment(self.settings) | metrics_port(self.settings)
        for number, instance in enumerate(free_instances(self.settings, workers)):
            self._start(f"worker-{number}", environment, "worker", "--instance-id", instance)
        self._start("joiner", environment, "joiner")
        if learner is not None:
            self._start("learner", environment, "learner", "--model", learner)
        if learner is not None and retrained_alias is not None:
            chosen = ("--model", learner, "--alias", retrained_alias)
            self._start("retrainer", environment, "retrainer", *chosen)
        if gateway is not None:
            ports = ("--port", str(gateway.http), "--grpc-port", str(gateway.grpc))
            self._start("gateway", environment, "gateway", *ports)
        if dashboard is not None:
            self._start("dashboard", environment, "dashboard", "--port", str(dashboard))
        if self.settings.conformal.coverage:
            self._start("calibrator", environment, "calibrator")
        if materializer:
            self._start("materializer", environment, "materializer")
        if aggregator:
            self._start("aggregator", environment, "aggregator")

    def _start(self, name: str, environment: dict[str, str], *arguments: str) -> None:
        argv = module_command("modstream", *arguments)
        self.supervisor.start(Command(name, argv, environment))


@contextmanager
def run_local_stack(
    settings: Settings,
    folder: Path,
    lock: HomeLock,
    *,
    fresh: bool = False,
    ports: tuple[int, int] = (0, 0),
) -> Iterator[LocalStack]:
    """Start the servers and a supervisor, and stop everything at the end of the context.

    Servers named in the settings are used as they are. Otherwise Kafka and Redis are started from
    `folder` on `ports` (0 chooses a free port); with `fresh` the folder is emptied first. `lock` is
    that of the home directory; without it, the data of a running stack could be damaged.

    Raises:
        StackError: the servers cannot be started.
    """
    with ExitStack() as undo:
        if uses_external_kafka(settings):
            servers = None
        else:
            if fresh:
                shutil.rmtree(folder, ignore_errors=True)
            servers = undo.enter_context(EmbeddedServers(folder, *ports, lock.descriptor))
            key, public = ensure_home_key(settings.home)
            settings = load_settings(
                **settings.model_dump(exclude=SET_ANEW),
                bootstrap=servers.bootstrap,
                redis=servers.redis_url,
                # The login is that of other servers.
                kafka_security=KafkaSecurity(),
                redis_security=RedisSecurity(),
                # In the folder of their Redis, so that `demo` and `up` do not share backups.
                backup_dir=settings.backup_dir or default_backup_folder(folder),
                signing_key=settings.signing_key or key,
                trusted_keys=settings.trusted_keys or (public,),
            )
        yield LocalStack(settings, servers, undo.enter_context(Supervisor(folder, RESTART_BACKOFF)))


def metrics_port(settings: Settings) -> dict[str, str]:
    """Return variables for several processes, which cannot share a port: any free one for each."""
    if settings.metrics.port == METRICS_OFF:
        return {}
    return {variable_name("metrics.port"): "0"}


def child_environment(settings: Settings) -> dict[str, str]:
    """Return this process's environment with all settings as variables, for a child process."""
    values = to_jsonable_python(_with_secrets(settings.model_dump()))
    variables = {
        variable_name(name): value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
        if value is not None
    }
    return {**os.environ, **variables}


def _with_secrets(value: Any) -> Any:  # noqa: ANN401 - the values of settings
    """Return settings with their secrets as texts, which pydantic would write as asterisks."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {name: _with_secrets(one) for name, one in value.items()}
    return value
