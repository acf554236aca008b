"""The measured servers: the constant, modstream's gateway with its worker, and the peers."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Literal, NamedTuple

import httpx

from bench.peer_environments import PEERS, make_environment, program_path
from bench.running import RunningSystem
from bench.systems import Delivery, Job, modstream, relay_environment
from modstream.process.children import module_command
from modstream.process.supervisor import Command
from modstream.stack.embedded.ports import free_port
from modstream.stack.local_stack import child_environment

MODEL = "logistic"
PATH = f"/v2/models/{MODEL}/infer"
GRPC_PATH = "/inference.GRPCInferenceService/ModelInfer"
START_SECONDS = 180.0
GATEWAY = "modstream"
CONSTANT = "constant"

Protocol = Literal["http", "grpc"]


class ServerFailed(Exception):
    """A server does not start, or does not answer."""


class Ports(NamedTuple):
    """Two free ports for a server. A server without gRPC does not use the second one."""

    http: int
    grpc: int
    metrics: int


@dataclass(frozen=True, slots=True)
class ServerKind:
    """A server that can be measured.

    `command` returns its process; `environment` is the name of its virtual environment, empty for
    that of modstream.
    """

    name: str
    command: Callable[[Job, Ports], Command]
    protocols: tuple[Protocol, ...] = ("http",)
    environment: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One way to call a running server; `ports` and `process` are those of the server."""

    system: str
    protocol: Protocol
    port: int
    process: RunningSystem

    @property
    def path(self) -> str:
        """The path of inference."""
        return GRPC_PATH if self.protocol == "grpc" else PATH

    def __str__(self) -> str:
        return f"{self.system}, {self.mode}"

    @property
    def mode(self) -> str:
        """The protocol as results name it."""
        return "gRPC" if self.protocol == "grpc" else "REST"


def constant(_: Job, ports: Ports) -> Command:
    """Return the command of the server that answers a constant."""
    argv = (sys.executable, "-m", "bench.gateway.constant", str(ports.http))
    return Command("constant", argv, relay_environment())


def gateway(job: Job, ports: Ports) -> Command:
    """Return the command of a gateway; `worker` is that of its worker."""
    settings = job.environment.settings.model_copy(
        update={"stream": job.topics.stream, "route": (MODEL,), "log_format": "json"}
    )
    options = ("--port", str(ports.http), "--grpc-port", str(ports.grpc))
    command = module_command("modstream", "gateway", *options)
    return Command(f"gateway-{ports.http}", command, child_environment(settings))


def worker(job: Job, delivery: Delivery = "exactly_once") -> Command:
    """Return the command of the worker that answers the gateway's requests."""
    return modstream(delivery, job)


def peer_variables(job: Job, name: str) -> dict[str, str]:
    """Return the environment of a peer's process."""
    paths = f"{PEERS}:{PEERS / name}"
    return {**relay_environment(), "BENCH_MODEL": str(job.model), "PYTHONPATH": paths}


def fastapi(job: Job, ports: Ports) -> Command:
    """Return the command of FastAPI with ONNX Runtime."""
    options = ("--port", str(ports.http), "--log-level", "warning", "--no-access-log")
    argv = (program_path("fastapi", "uvicorn"), "app:app", *options)
    return Command("fastapi", argv, peer_variables(job, "fastapi"))


def litserve(job: Job, ports: Ports) -> Command:
    """Return the command of LitServe."""
    script = str(PEERS / "litserve" / "app.py")
    argv = (program_path("litserve", "python"), script, str(ports.http))
    return Command("litserve", argv, peer_variables(job, "litserve"))


def bentoml(job: Job, ports: Ports) -> Command:
    """Return the command of BentoML."""
    options = ("--host", "127.0.0.1", "--port", str(ports.http))
    folder = ("--working-dir", str(PEERS / "bentoml"))
    argv = (program_path("bentoml", "bentoml"), "serve", "service:Scorer", *options, *folder)
    variables = {
        "BENTOML_HOME": str(job.environment.folder / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "true",
    }
    return Command("bentoml", argv, peer_variables(job, "bentoml") | variables)


def kserve(job: Job, ports: Ports) -> Command:
    """Return the command of KServe's model server."""
    script, port = str(PEERS / "kserve" / "app.py"), str(ports.http)
    options = ("--http_port", port, "--configure_logging", "false")
    argv = (program_path("kserve", "python"), script, *options)
    return Command("kserve", argv, peer_variables(job, "kserve"))


def mlserver(job: Job, ports: Ports) -> Command:
    """Return the command of MLServer, in one process and without adaptive batching."""
    folder = job.environment.folder / "mlserver-http"
    folder.mkdir(exist_ok=True)
    settings = {
        "name": MODEL,
        "implementation": "runtime.Onnx",
        "parameters": {"uri": str(job.model)},
    }
    (folder / "model-settings.json").write_text(json.dumps(settings))
    variables = {
        "MLSERVER_HOST": "127.0.0.1",
        "MLSERVER_HTTP_PORT": str(ports.http),
        "MLSERVER_GRPC_PORT": str(ports.grpc),
        "MLSERVER_METRICS_PORT": str(ports.metrics),
        "MLSERVER_PARALLEL_WORKERS": "0",
    }
    argv = (program_path("mlserver", "mlserver"), "start", str(folder))
    return Command("mlserver-http", argv, peer_variables(job, "mlserver") | variables)


OWN = (ServerKind(CONSTANT, constant), ServerKind(GATEWAY, gateway, ("http", "grpc")))
HTTP_PEERS = (
    ServerKind("fastapi", fastapi, environment="fastapi"),
    ServerKind("mlserver", mlserver, ("http", "grpc"), "mlserver"),
    ServerKind("kserve", kserve, environment="kserve"),
    ServerKind("bentoml", bentoml, environment="bentoml"),
    ServerKind("litserve", litserve, environment="litserve"),
)


@contextmanager
def running(kind: ServerKind, job: Job, body: bytes) -> Iterator[Sequence[Endpoint]]:
    """Run a server as long as the context; yield its endpoints once it answers.

    Raises:
        ServerFailed: it cannot be installed, or does not answer `body`.
    """
    if kind.environment:
        try:
            make_environment(kind.environment)
        except (OSError, ValueError, RuntimeError) as error:
            raise ServerFailed(f"{kind.name} cannot be installed: {error}") from None
    ports = Ports(free_port(), free_port(), free_port())
    with RunningSystem(job.environment, [kind.command(job, ports)]) as process:
        wait_ready(kind.name, process, ports.http, body)
        yield [
            Endpoint(kind.name, one, ports.grpc if one == "grpc" else ports.http, process)
            for one in kind.protocols
        ]


def wait_ready(name: str, process: RunningSystem | None, port: int, body: bytes) -> None:
    """Wait until a server answers a call; `process` is None if something else restarts it.

    Raises:
        ServerFailed: it exits, or does not answer within START_SECONDS.
    """
    deadline, answer = monotonic() + START_SECONDS, ""
    while monotonic() < deadline and not (process and process.has_exited()):
        try:
            found = httpx.post(
                f"http://127.0.0.1:{port}{PATH}",
                content=body,
                headers={"content-type": "application/json"},
                timeout=10,
            )
            if found.status_code == 200:
                return
            answer = f"{found.status_code} {found.text[:300]}"
        except httpx.TransportError as error:
            answer = str(error)
        sleep(0.2)
    log = process.tail() if process else ""
    raise ServerFailed(f"{name} does not answer: {answer}\n{log}")
