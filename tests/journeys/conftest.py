"""A complete system of separate processes for a test, on shared servers, with its own prefix."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import pytest
import structlog

from modstream.broker.client.admin import Admin
from modstream.broker.wire.features import FeatureRow
from modstream.broker.wire.topics import Topics
from modstream.cli import main, output
from modstream.models.examples.flights import FLIGHT_SCHEMA, online_pipeline
from modstream.models.registry.registry import Registry
from modstream.models.runtimes.river.runtime import pack
from modstream.models.schema.version_spec import VersionSpec
from modstream.process.supervisor import Command, Supervisor
from modstream.producers.client.client import Client
from modstream.producers.errors import RequestRefused
from modstream.registry.access import open_registry
from modstream.settings import Settings, load_settings
from modstream.stack.local_stack import child_environment

TIMEOUT_SECONDS = 240.0


class CommandResult(NamedTuple):
    """The exit code and the output of a command."""

    returncode: int | str
    stdout: str
    stderr: str


@dataclass
class System:
    """The settings and topics of a test, and processes started by the command line."""

    settings: Settings
    supervisor: Supervisor
    folder: Path
    clients: list[Client] = field(default_factory=list)

    @property
    def topics(self) -> Topics:
        return self.settings.topics()

    def create_topics(self) -> None:
        Admin(self.settings.connection).create(self.settings.topic_specs())

    def start(self, name: str, *arguments: str, environment: dict[str, str] | None = None) -> None:
        argv = (sys.executable, "-m", "modstream", *arguments)
        found = child_environment(self.settings) | (environment or {})
        self.supervisor.start(Command(name, argv, found))

    def run(self, *arguments: str, text: str = "") -> CommandResult:
        """Run a command to its end, in this process, which avoids the time of the imports."""
        stdout, stderr = StringIO(), StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            redirect_stdout(stdout),
            redirect_stderr(stderr),
        ):
            for name, value in (child_environment(self.settings) | {"COLUMNS": "200"}).items():
                patch.setenv(name, value)
            for console in (output.stdout, output.stderr):
                patch.setattr(console, "_width", 200)  # its width is that of its import
            patch.chdir(self.folder)
            patch.setattr(sys, "argv", ["modstream", *arguments])
            patch.setattr(sys, "stdin", StringIO(text))
            logging = structlog.get_config()
            with pytest.raises(SystemExit) as exit_:
                main()
            structlog.configure(**logging)
        return CommandResult(exit_.value.code or 0, stdout.getvalue(), stderr.getvalue())

    def registry(self) -> Registry:
        return open_registry(self.settings)

    def client(self) -> Client:
        client = Client(self.settings.connection, self.topics)
        self.clients.append(client)
        return client

    def wait_for_worker(self) -> None:
        """Wait until a worker responds to a request; the error for an unknown model is enough."""
        client = self.client()
        client.wait_all(client.send({}, model="unknown"), ["unknown"], TIMEOUT_SECONDS)

    def wait_until_loaded(
        self, client: Client, features: FeatureRow, model: str, version: int | str = "champion"
    ) -> None:
        """Repeat a request while its answer is that the model is being loaded."""
        deadline = monotonic() + TIMEOUT_SECONDS
        while monotonic() < deadline:
            try:
                client.wait(client.send(features, model=model, version=version), TIMEOUT_SECONDS)
            except RequestRefused as error:
                if error.code == "model_loading":
                    continue
            return

    def log(self, name: str) -> str:
        return (self.supervisor.logs / f"{name}.log").read_text()


@pytest.fixture
def system(bootstrap: str, redis_url: str, prefix: str, tmp_path: Path) -> Iterator[System]:
    """A system whose processes end with the test."""
    with open_system(bootstrap, redis_url, prefix, tmp_path) as opened:
        yield opened


@contextmanager
def open_system(bootstrap: str, redis: str, prefix: str, folder: Path) -> Iterator[System]:
    """Open a system in a folder; its processes end with the context."""
    with pytest.MonkeyPatch.context() as patch, Supervisor(folder) as supervisor:
        for name in [name for name in os.environ if name.startswith("MODSTREAM_")]:
            patch.delenv(name)
        patch.chdir(folder)
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        settings = load_settings(
            bootstrap=bootstrap, redis=redis, prefix=prefix, stream="flights", home=folder
        )
        opened = System(settings, supervisor, folder)
        yield opened
        for client in opened.clients:
            client.close()


def publish_untrained(system: System, name: str) -> None:
    """Create the topics, and publish the demo's untrained River pipeline."""
    system.create_topics()
    spec = VersionSpec(
        name=name,
        runtime="river",
        task="binary",
        classes=(False, True),
        input_schema=FLIGHT_SCHEMA,
    )
    with system.registry() as registry:
        registry.publish(spec, pack(online_pipeline()))


def with_route(system: System, *models: str, stream: str = "flights") -> System:
    """Return the same system with another route and stream."""
    settings = system.settings.model_copy(update={"route": models, "stream": stream})
    return System(settings, system.supervisor, system.folder, system.clients)
