"""A stream with a worker, published models and a gateway, all in processes of their own."""

import http.client
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psutil

from tests.gateway_clients.models import AskedModel
from tests.journeys.conftest import TIMEOUT_SECONDS, System, open_system

STREAM = "clients"
IDLE_SECONDS = 30.0
"""Time without a call after which a new connection is made; the gateway keeps one for longer."""
ANSI = re.compile(r"\x1b\[[0-9;]*m")
Headers = Mapping[str, str]


class HttpAnswer(NamedTuple):
    """A response: its status, headers by lower-case name, and body."""

    status: int
    headers: Headers
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class RunningGateway:
    """The addresses of a gateway, and a connection to it that all calls of `call` share."""

    system: System
    http: str
    grpc: str
    connection: http.client.HTTPConnection = field(init=False)
    last_call: float = 0.0

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(self.http).netloc, timeout=60)
        self.connection.connect()

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: Headers | None = None
    ) -> HttpAnswer:
        """Make a call on the one connection, which must still be open unless it was idle long."""
        if monotonic() - self.last_call > IDLE_SECONDS:
            self.connection.close()
            self.connection.connect()
        self.last_call = monotonic()
        assert self.connection.sock is not None, "the gateway has closed the connection"
        self.connection.request(method, path, body, headers or {})
        response = self.connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return HttpAnswer(response.status, found, response.read())

    def post(self, path: str, document: Any) -> HttpAnswer:
        """Send a JSON document."""
        return self.call("POST", path, json.dumps(document).encode())

    def process(self) -> psutil.Process:
        """Return the process of the gateway."""
        status = self.system.supervisor.status()
        return psutil.Process(next(one.pid for one in status if one.name == "gateway"))

    def memory(self) -> int:
        """Return how many bytes the gateway's process holds."""
        return int(self.process().memory_info().rss)


@contextmanager
def running_gateway(
    bootstrap: str, redis: str, folder: Path, models: Mapping[str, AskedModel]
) -> Iterator[RunningGateway]:
    """Serve models behind a gateway until the context ends."""
    prefix = f"g{folder.stat().st_ino}."
    with open_system(bootstrap, redis, prefix, folder) as opened:
        changes = {"route": (next(iter(models)),), "stream": STREAM}
        opened.settings = opened.settings.model_copy(update=changes)
        opened.create_topics()
        publish(opened, models)
        opened.start("worker", "worker")
        opened.start("gateway", "gateway", STREAM, "--port", "0", "--grpc-port", "0")
        opened.wait_for_worker()
        gateway = RunningGateway(opened, *addresses(opened))
        with closing(gateway.connection):
            wait_until_loaded(gateway, list(models))
            yield gateway


def publish(system: System, models: Mapping[str, AskedModel]) -> None:
    """Publish all models, one of them twice: version 1 of `renewed` has the alias `previous`."""
    with system.registry() as registry:
        for name, model in models.items():
            registry.publish(model.imported.spec, model.imported.artifact)
            assert model.imported.spec.name == name
        first = next(iter(models.values())).imported
        spec = first.spec.model_copy(update={"name": "renewed"})
        registry.publish(spec, first.artifact, alias="previous")
        registry.publish(spec.model_copy(update={"note": "again"}), first.artifact)


def addresses(system: System) -> tuple[str, str]:
    """Return the addresses that the gateway logs when it is ready."""
    deadline = monotonic() + TIMEOUT_SECONDS
    while monotonic() < deadline:
        log = ANSI.sub("", system.log("gateway"))
        if "gateway ready" in log:
            line = next(one for one in log.splitlines() if "gateway ready" in one)
            found = json.loads(line) if line.startswith("{") else dict(
                re.findall(r"(http|grpc)=['\"]?([^\s'\"]+)", line)
            )  # fmt: skip
            return found["http"], found["grpc"]
        sleep(0.05)
    raise AssertionError(system.log("gateway"))


def wait_until_loaded(gateway: RunningGateway, names: Sequence[str]) -> None:
    """Ask each model until it is loaded; that the call lacks its inputs does not matter."""
    deadline = monotonic() + TIMEOUT_SECONDS
    waiting = [*names, "renewed", "renewed/versions/previous"]
    while waiting:
        assert monotonic() < deadline, f"not loaded: {waiting}"
        waiting = [name for name in waiting if not is_loaded(gateway, name)]


def is_loaded(gateway: RunningGateway, name: str) -> bool:
    tensor = {"name": "no such input", "shape": [1], "datatype": "FP32", "data": [1]}
    answer = gateway.post(f"/v2/models/{name}/infer", {"inputs": [tensor]})
    assert answer.status in {200, 400, 503}, answer
    return answer.status != 503
