"""A whole system of separate processes for a test, on the session's servers, under its prefix."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pytest
import structlog

from modstream.broker.client.admin import Admin
from modstream.broker.wire.topics import Topics
from modstream.cli import main
from modstream.models.examples.flights import FLIGHT_FEATURES, online_pipeline
from modstream.models.registry.registry import Draft, Registry
from modstream.models.runtimes.river.runtime import pack
from modstream.process.supervisor import Command, Supervisor
from modstream.producers.client.client import Client
from modstream.registry.access import open_registry
from modstream.settings import Settings, load_settings
from modstream.stack.local_stack import environment_of

SECONDS = 90.0


class Ended(NamedTuple):
    """What a command left: its exit code and what it printed."""

    returncode: int | str
    stdout: str
    stderr: str


@dataclass
class System:
    """Settings, topics, and processes that are started by the command line that users type."""

    settings: Settings
    supervisor: Supervisor
    folder: Path
    clients: list[Client] = field(default_factory=list)

    @property
    def topics(self) -> Topics:
        return self.settings.topics()

    def create_topics(self) -> None:
        Admin(self.settings.connection).create(self.settings.specs())

    def start(self, name: str, *arguments: str, environment: dict[str, str] | None = None) -> None:
        argv = (sys.executable, "-m", "modstream", *arguments)
        found = environment_of(self.settings) | (environment or {})
        self.supervisor.start(Command(name, argv, found))

    def run(self, *arguments: str, text: str = "") -> Ended:
        """Run a command to its end, as its process would: here, where the imports are paid for."""
        stdout, stderr = StringIO(), StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            redirect_stdout(stdout),
            redirect_stderr(stderr),
        ):
            for name, value in (environment_of(self.settings) | {"COLUMNS": "200"}).items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            patch.setattr(sys, "argv", ["modstream", *arguments])
            patch.setattr(sys, "stdin", StringIO(text))
            logging = structlog.get_config()
            with pytest.raises(SystemExit) as exit_:
                main()
            structlog.configure(**logging)
        return Ended(exit_.value.code or 0, stdout.getvalue(), stderr.getvalue())

    def registry(self) -> Registry:
        return open_registry(self.settings)

    def client(self) -> Client:
        client = Client(self.settings.connection, self.topics)
        self.clients.append(client)
        return client

    def await_worker(self) -> None:
        """Wait until requests are answered; that a model is unknown is an answer, too."""
        client = self.client()
        client.wait_all(client.send({}, model="nobody"), ["nobody"], SECONDS)

    def log(self, name: str) -> str:
        return (self.supervisor.logs / f"{name}.log").read_text()


@pytest.fixture
def system(bootstrap: str, redis_url: str, prefix: str, tmp_path: Path) -> Iterator[System]:
    """A system whose processes end with the test."""
    with open_system(bootstrap, redis_url, prefix, tmp_path) as made:
        yield made


@contextmanager
def open_system(bootstrap: str, redis: str, prefix: str, folder: Path) -> Iterator[System]:
    """A system whose processes end with the context, in a folder of its own."""
    with pytest.MonkeyPatch.context() as patch, Supervisor(folder) as supervisor:
        for name in [name for name in os.environ if name.startswith("MODSTREAM_")]:
            patch.delenv(name)
        patch.chdir(folder)
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        settings = load_settings(
            bootstrap=bootstrap, redis=redis, prefix=prefix, stream="flights", home=folder
        )
        made = System(settings, supervisor, folder)
        yield made
        for client in made.clients:
            client.close()


def publish_untrained(system: System, name: str) -> None:
    """Create the topics and publish the demo's River pipeline as it is before it learns."""
    system.create_topics()
    draft = Draft(
        name=name,
        runtime="river",
        task="binary",
        classes=(False, True),
        input_schema=FLIGHT_FEATURES,
    )
    with system.registry() as registry:
        registry.publish(draft, pack(online_pipeline()))


def with_route(system: System, *models: str, stream: str = "flights") -> System:
    """The same system with another route."""
    chosen: Sequence[str] = models
    settings = system.settings.model_copy(update={"route": tuple(chosen), "stream": stream})
    return System(settings, system.supervisor, system.folder, system.clients)
