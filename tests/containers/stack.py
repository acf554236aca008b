"""The system of docker-compose.yml in containers, and what the tests do with it."""

import json
import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from threading import Event
from time import monotonic

from tests.containers.podman import APPLICATION, PROJECT, Podman, note

SERVICES = ("kafka", "redis", "worker", "joiner", "learner", "gateway", "dashboard")
UP_SECONDS = 420
HEALTHY_SECONDS = 180


@dataclass
class Stack:
    """The running system.

    Attributes:
        podman: the engine.
        workers: the number of workers.
    """

    podman: Podman
    workers: int = 2

    def up(self) -> None:
        """Start the system, and wait until docker-compose returns and all are healthy."""
        begun = monotonic()
        with self.podman.health_checks():
            scale = f"worker={self.workers}"
            done = self.podman.compose(
                "up", "-d", "--no-build", "--scale", scale, timeout=UP_SECONDS
            )
            assert done.returncode == 0, f"{done.stderr[-3000:]}\n{self.logs()}"
            note(f"docker-compose up returned after {monotonic() - begun:.0f} s")
            self.wait_healthy()
        note(f"all services are healthy {monotonic() - begun:.0f} s after the start")

    def down(self, *options: str) -> None:
        """Stop and remove the containers; volumes stay without `-v`."""
        done = self.podman.compose("--profile", "*", "down", "--timeout", "20", *options)
        assert done.returncode == 0, done.stderr

    def container(self, service: str, number: int = 1) -> str:
        """Return the name of a service's container, which podman or compose has chosen."""
        own = f"label=com.docker.compose.service={service}"
        filters = ["--filter", f"label=com.docker.compose.project={PROJECT}", "--filter", own]
        names = self.podman.run("ps", "-a", *filters, "--format", "{{.Names}}").stdout.split()
        return next(name for name in names if name.endswith(f"{number}"))

    def wait_healthy(self, *services: str) -> None:
        """Run the health checks of services until all pass."""
        wanted = [
            self.container(service, number + 1)
            for service in services or SERVICES
            for number in range(self.workers if service == "worker" else 1)
        ]
        end, waited = monotonic() + HEALTHY_SECONDS, Event()
        while wanted:
            wanted = [
                name
                for name in wanted
                if self.podman.run("healthcheck", "run", name, check=False).returncode
            ]
            assert not wanted or monotonic() < end, f"not healthy: {wanted}\n{self.logs()}"
            if wanted:
                waited.wait(1)

    def kill(self, service: str) -> None:
        """Kill the first process of a container as the kernel would for lack of memory."""
        name = self.container(service)
        pid = self.podman.inspect(name)["State"]["Pid"]
        assert pid > 0, f"{name} does not run"
        os.kill(pid, signal.SIGKILL)
        note(f"killed {name}")

    def command(self, *arguments: str, entrypoint: str = "modstream", **changes: str | None):
        """Return the command that runs modstream in a container like that of `operator`.

        Exit codes are kept, which `docker-compose run` loses with podman.

        Args:
            arguments: the arguments of modstream.
            entrypoint: what is run instead of modstream.
            changes: further variables; those that are None are left out.
        """
        described = self.podman.services()["operator"]
        environment = {**described["environment"], **changes}
        volumes = [
            f"--volume={PROJECT}_{one['source']}:{one['target']}"
            for one in described["volumes"]
            if "source" in one
        ]
        return [
            *("podman", "run", "--rm", f"--network={PROJECT}_default", "--read-only"),
            f"--entrypoint={entrypoint}",
            *(f"--env={name}={value}" for name, value in environment.items() if value is not None),
            *volumes,
            *(APPLICATION, *arguments),
        ]

    def operate(self, *arguments: str, check: bool = True, **changes: str | None):
        """Run a command of modstream as the operator, and return its result."""
        done = subprocess.run(
            self.command(*arguments, **changes),
            env=self.podman.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done

    def secret(self, volume: str, name: str) -> str:
        """Return a secret in a volume of the compose file."""
        mounted = f"--volume={PROJECT}_{volume}:/secret:ro"
        reader = ("run", "--rm", "--user=0", "--network=none", "--entrypoint=cat", mounted)
        return self.podman.run(*reader, APPLICATION, f"/secret/{name}").stdout.strip()

    def read_json(self, *arguments: str):
        """Return the output of a command of modstream as JSON."""
        return json.loads(self.operate(*arguments, "--json").stdout)

    def begin(self, *arguments: str) -> subprocess.Popen:
        """Begin a command of modstream as the operator."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.podman.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def logs(self, lines: int = 15) -> str:
        """Return the last lines of the log of each container."""
        found = []
        for name in self.podman.containers("status=running", "status=exited"):
            done = self.podman.run("logs", f"--tail={lines}", name, check=False)
            found.append(f"--- {name}\n{done.stdout}{done.stderr}")
        return "\n".join(found)

    def clean(self) -> None:
        """Remove everything that a former run has left behind."""
        with suppress(AssertionError):
            self.down("--volumes")
