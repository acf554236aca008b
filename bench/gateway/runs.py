"""Runs of the load generator against an endpoint, and what the servers used meanwhile."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from subprocess import run
from tempfile import TemporaryDirectory

import msgspec
import psutil

from bench.environment import BenchEnvironment
from bench.gateway.load import LoadPlan, LoadResult
from bench.gateway.servers import MODEL, Endpoint
from bench.payloads import request_id, tensor
from bench.running import process_tree, resource_usage
from bench.systems import relay_environment
from bench.workloads import EIGHT_FEATURES
from modstream.producers.gateway.protocol.stubs import inference_pb2 as pb

SEED = 1
BODIES = 256
"""Number of different calls, which are sent in turn."""
MAX_CONNECTIONS = 512
"""Connections of an open loop; a call waits if all are busy."""


class LoadFailed(Exception):
    """The load generator has failed."""


@dataclass(frozen=True, slots=True)
class LoadRun:
    """The result of a run, and the processor seconds that processes used during it, by name."""

    result: LoadResult
    cpu: Mapping[str, float]

    def cpu_us(self, *names: str) -> float:
        """Return the processor time of some processes for each reply, in microseconds."""
        replies = sum(self.result.statuses.values()) or 1
        return 1e6 * sum(self.cpu[name] for name in names) / replies


@cache
def bodies(protocol: str) -> list[bytes]:
    """Return the calls: one [1, 8] tensor in JSON, or as raw values in a message of gRPC."""
    maker, rng = tensor(len(EIGHT_FEATURES)), Random(SEED)
    texts = [maker(rng).with_id(request_id(number)) for number in range(BODIES)]
    return texts if protocol == "http" else [to_message(text) for text in texts]


def to_message(text: bytes) -> bytes:
    """Return the message of gRPC for a call in JSON."""
    call = msgspec.json.decode(text)
    (tensor_,) = call["inputs"]
    message = pb.ModelInferRequest(model_name=MODEL, id=call["id"])
    found = message.inputs.add(
        name=tensor_["name"], datatype=tensor_["datatype"], shape=tensor_["shape"]
    )
    found.contents.fp32_contents.extend(tensor_["data"])
    return message.SerializeToString()


def plan_for(
    endpoint: Endpoint, seconds: float, rate: float | None = None, connections: int | None = None
) -> LoadPlan:
    """Return the plan of a load: closed loop with 64 connections, or open loop at a rate."""
    return LoadPlan(
        endpoint.protocol,
        endpoint.port,
        endpoint.path,
        bodies(endpoint.protocol),
        seconds,
        connections or (64 if rate is None else MAX_CONNECTIONS),
        rate,
        warm_up=min(1.0, seconds / 2),
    )


def run_load(plan: LoadPlan, watched: Mapping[str, Sequence[psutil.Process]]) -> LoadRun:
    """Run the generator; `watched` are the processes whose use is measured, with their children.

    Raises:
        LoadFailed: the generator ended with an error.
    """
    with TemporaryDirectory(prefix="load-") as folder:
        source, target = Path(folder) / "plan", Path(folder) / "result"
        source.write_bytes(msgspec.msgpack.encode(plan))
        before = {name: cpu_seconds(processes) for name, processes in watched.items()}
        argv = (sys.executable, "-m", "bench.gateway.load", str(source), str(target))
        done = run(argv, env=relay_environment(), capture_output=True, text=True, check=False)
        used = {name: cpu_seconds(found) - before[name] for name, found in watched.items()}
        if done.returncode:
            raise LoadFailed(done.stderr[-1000:])
        result = msgspec.msgpack.decode(target.read_bytes(), type=LoadResult)
    share = plan.seconds / (plan.seconds + plan.warm_up)
    return LoadRun(result, {name: value * share for name, value in used.items()})


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    """Return the processor seconds that processes and their children have used so far."""
    return sum(resource_usage(one)[0] for root in processes for one in process_tree(root))


def brokers(environment: BenchEnvironment) -> list[psutil.Process]:
    """Return the process of the environment's own Kafka; none if it runs elsewhere."""
    port = environment.settings.bootstrap.rpartition(":")[2]
    own = psutil.Process().children(recursive=True)
    return [one for one in own if "java" in one.name() and listens(one, int(port))]


def listens(process: psutil.Process, port: int) -> bool:
    """Return whether a process listens on a port."""
    found = process.net_connections("tcp")
    return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in found)
