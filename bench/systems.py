"""The measured systems: programs that respond to the requests of a stream."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from bench.environment import BenchEnvironment, environment_without_settings
from bench.workloads import PayloadFormat, Workload
from modstream.broker.wire.records import Headers
from modstream.broker.wire.topics import Topics
from modstream.process.children import module_command
from modstream.process.supervisor import Command
from modstream.stack.local_stack import child_environment

Delivery = Literal["exactly_once", "at_least_once"]

ROOT = Path(__file__).parents[1]
"""The folder from which `bench` is imported."""
ALL_FORMATS: frozenset[PayloadFormat] = frozenset({"row", "mixed", "tensor", "binary"})


@dataclass(frozen=True, slots=True)
class Job:
    """A job for a system: respond to the requests of a stream, as the stream's worker group.

    `model` is the file of the workload's model; `instance` numbers the processes of one job.
    """

    environment: BenchEnvironment
    workload: Workload
    topics: Topics
    model: Path
    instance: int = 0

    @property
    def group(self) -> str:
        """The consumer group of the system's processes."""
        return self.topics.group("worker")


@dataclass(frozen=True, slots=True)
class System:
    """A program that can do a job.

    Attributes:
        name: its name.
        delivery: its delivery mode.
        command: returns the command of one process for a job.
        formats: the payload formats that it can read.
        prepare: installs what the program needs.
        needs_live_requests: whether it reads only records that arrive after its start.
        headers: further headers that it needs in every request.
    """

    name: str
    delivery: Delivery
    command: Callable[[Job], Command]
    formats: frozenset[PayloadFormat] = ALL_FORMATS
    prepare: Callable[[], None] = lambda: None
    needs_live_requests: bool = False
    headers: Headers = ()

    def __str__(self) -> str:
        return f"{self.name}, {self.delivery.replace('_', ' ')}"

    def can_read(self, workload: Workload) -> bool:
        """Return whether the system can read the requests of a workload."""
        return workload.format in self.formats


def modstream(
    delivery: Delivery,
    job: Job,
    *,
    features: bool = True,
    settings: Mapping[str, object] = MappingProxyType({}),
) -> Command:
    """Return the command of a worker; `features` says whether responses contain features.

    `settings` are further settings of the worker.
    """
    found = job.environment.settings.model_copy(
        update={
            "stream": job.topics.stream,
            "route": (job.model.stem,),
            "delivery": delivery,
            "instance_id": str(job.instance),
            "log_format": "json",
            "record_features": features,
            **settings,
        }
    )
    return Command(
        f"modstream-{job.instance}",
        module_command("modstream", "worker"),
        child_environment(found),
    )


def relay(delivery: Delivery, job: Job, *model: str) -> Command:
    """Return the command of the pass-through, or with a model that of the plain loop."""
    bootstrap, topics = job.environment.settings.bootstrap, job.topics
    arguments = (
        *(bootstrap, topics.requests, topics.predictions),
        *(job.group, str(job.instance), delivery, *model),
    )
    argv = (sys.executable, "-m", "bench.relay", *arguments)
    return Command(f"relay-{job.instance}", argv, relay_environment())


def relay_environment() -> dict[str, str]:
    """Return the environment of the relay, in which `bench` can be imported from any folder."""
    environment = environment_without_settings()
    paths = (str(ROOT), environment.get("PYTHONPATH", ""))
    return environment | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


DELIVERIES: tuple[Delivery, ...] = ("exactly_once", "at_least_once")
PASS_THROUGH = tuple(System("pass-through", mode, partial(relay, mode)) for mode in DELIVERIES)
MODSTREAM = tuple(System("modstream", mode, partial(modstream, mode)) for mode in DELIVERIES)
MODSTREAM_WITHOUT_FEATURES = tuple(
    System("modstream, no features", mode, partial(modstream, mode, features=False))
    for mode in DELIVERIES
)
"""Responses without the features that learning needs, as those of the peers."""
