"""The subjects: programs that each take a stream's requests to answers, started the same way."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from bench.environment import Ground, without_settings
from bench.workloads import Form, Workload
from modstream.broker.wire.records import Headers
from modstream.broker.wire.topics import Topics
from modstream.process.supervisor import Command
from modstream.stack.local_stack import environment_of

Delivery = Literal["exactly_once", "at_least_once"]

ALL_FORMS: frozenset[Form] = frozenset({"row", "mixed", "tensor", "binary"})


@dataclass(frozen=True, slots=True)
class Job:
    """What a subject shall do: from a stream's requests to its predictions, as its worker group.

    `model` is the file of the workload's model, `slot` numbers the processes that share the job.
    """

    ground: Ground
    workload: Workload
    topics: Topics
    model: Path
    slot: int = 0

    @property
    def group(self) -> str:
        """The consumer group of whoever does the job."""
        return self.topics.group("worker")


@dataclass(frozen=True, slots=True)
class Subject:
    """A program that can do a job.

    `forms` are the payloads that it reads; `prepare` fetches what it needs. One that is `live`
    sees only records that come after it has started. `headers` are those that it needs.
    """

    name: str
    delivery: Delivery
    command: Callable[[Job], Command]
    forms: frozenset[Form] = ALL_FORMS
    prepare: Callable[[], None] = lambda: None
    live: bool = False
    headers: Headers = ()

    def __str__(self) -> str:
        return f"{self.name}, {self.delivery.replace('_', ' ')}"

    def reads(self, workload: Workload) -> bool:
        """Whether it reads requests of this form."""
        return workload.form in self.forms


def modstream(delivery: Delivery, job: Job, *, features: bool = True) -> Command:
    """A worker, by the command line that users type; answers with or without their features."""
    settings = job.ground.settings.model_copy(
        update={
            "stream": job.topics.stream,
            "route": (job.model.stem,),
            "delivery": delivery,
            "slot": str(job.slot),
            "log_format": "json",
            "record_features": features,
        }
    )
    return Command(
        f"modstream-{job.slot}",
        (sys.executable, "-m", "modstream", "worker"),
        environment_of(settings),
    )


def relay(delivery: Delivery, job: Job, *model: str) -> Command:
    """The raw pass-through; with a model the plain loop."""
    bootstrap, topics = job.ground.settings.bootstrap, job.topics
    places = (bootstrap, topics.requests, topics.predictions, job.group, str(job.slot), delivery)
    argv = (sys.executable, "-m", "bench.relay", *places, *model)
    return Command(f"relay-{job.slot}", argv, without_settings())


DELIVERIES: tuple[Delivery, ...] = ("exactly_once", "at_least_once")
LIMITS = tuple(Subject("pass-through", mode, partial(relay, mode)) for mode in DELIVERIES)
OURS = tuple(Subject("modstream", mode, partial(modstream, mode)) for mode in DELIVERIES)
LEAN = tuple(
    Subject("modstream, no features", mode, partial(modstream, mode, features=False))
    for mode in DELIVERIES
)
"""What the peers answer, too: the answer alone. Nothing could be learned from it."""
