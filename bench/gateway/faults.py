"""The gateway under faults: nothing that was asked is lost, and nothing is answered twice.

1. calls at a steady rate with everything running: every one is answered
2. the same while the worker is killed ten times. A refused call (429, 503) is repeated after its
   `Retry-After`, as any client does; a late one (504) is redeemed by its ticket
3. a gateway is killed with many open tickets; the other gateway redeems them all
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from time import perf_counter

import uvloop
from river.linear_model import LogisticRegression

from bench.benchmark_models import BenchmarkModel
from bench.environment import BenchEnvironment
from bench.gateway.callers import Caller, Outcome, redeem_all, session, take_tickets
from bench.gateway.comparison import PART, WORKLOAD
from bench.gateway.runs import bodies
from bench.gateway.servers import GATEWAY, MODEL, Ports, gateway, wait_ready, worker
from bench.results import Measurement
from bench.systems import Job
from bench.workloads import EIGHT_FEATURES, WORKLOADS
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.topics import Header
from modstream.models.runtimes.river.artifact import pack
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.process.children import module_command
from modstream.process.supervisor import Command, Supervisor
from modstream.producers.gateway.replies import CORRELATION_ID
from modstream.stack.embedded.ports import free_port
from modstream.stack.local_stack import RESTART_BACKOFF, child_environment

RATE = 200.0
TICKETS = 1000
KILLS = 10
ANSWERS_AFTER_KILL = 200
"""Answers after which a killed worker counts as back."""
LOST, DOUBLED = "lost", "answered twice in the topic"
UNANSWERED, NOT_REDEEMED = "not answered in the topic", "tickets not redeemed"


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """The extent of the faults."""

    seconds: float = 60.0
    kills: int = KILLS
    tickets: int = TICKETS
    rate: float = RATE
    report_progress: Callable[[str], None] = lambda _doing: None


async def call_steadily(
    url: str, plan: FaultPlan, outcome: Outcome, disturb: Coroutine[None, None, None] | None = None
) -> Outcome:
    """Send calls at a steady rate, and wait until all have their answers or are lost.

    The calls end after the plan's seconds, but not before `disturb` has.
    """
    texts = bodies("http")
    async with session() as http, asyncio.TaskGroup() as group:
        disturbing = group.create_task(disturb) if disturb is not None else None
        caller, start = Caller(http, url, outcome), perf_counter()
        for number in count():
            due = start + number / plan.rate
            if due - start >= plan.seconds and (disturbing is None or disturbing.done()):
                break
            await asyncio.sleep(max(0.0, due - perf_counter()))
            outcome.calls += 1
            group.create_task(caller.call(texts[number % len(texts)]))
    return outcome


class FaultySystem:
    """A system of two gateways, a worker that is restarted, a joiner and a learner."""

    def __init__(self, job: Job, supervisor: Supervisor) -> None:
        self._job, self._supervisor = job, supervisor
        settings = job.environment.settings.model_copy(
            update={"stream": job.topics.stream, "route": (MODEL,)}
        )
        self._variables = child_environment(settings)
        self.ports = [Ports(free_port(), free_port(), free_port()) for _ in range(2)]
        self.urls = [f"http://127.0.0.1:{ports.http}" for ports in self.ports]

    def start(self) -> None:
        """Start everything, and wait until both gateways answer."""
        self._supervisor.start(worker(self._job))
        self._start("joiner")
        self._start("learner", "--model", MODEL)
        for ports in self.ports:
            self._supervisor.start(gateway(self._job, ports))

    def _start(self, name: str, *arguments: str) -> None:
        argv = module_command("modstream", name, *arguments)
        self._supervisor.start(Command(name, argv, self._variables))

    def kill(self, name: str) -> None:
        """Kill a process; it is started again."""
        self._supervisor.kill(name)

    async def kill_worker(self, times: int, pause: float, outcome: Outcome) -> None:
        """Kill the worker some times, each time after it has answered for `pause` seconds."""
        for _ in range(times):
            await asyncio.sleep(pause)
            self.kill("modstream-0")
            before = len(outcome.answered)
            while len(outcome.answered) < before + ANSWERS_AFTER_KILL:  # noqa: ASYNC110 - a count
                await asyncio.sleep(0.1)


def requests_of(job: Job) -> set[bytes]:
    """Return the ids of all requests of gateways in the topic."""
    records = read_to_end(job.environment.settings.connection, [job.topics.requests])
    found = (dict(record.headers).get(CORRELATION_ID) for record in records)
    return {id_ for id_ in found if id_}


def answers_per_request(job: Job) -> Counter[bytes]:
    """Return how many committed answers the topic has for each request of a gateway."""
    found: Counter[bytes] = Counter()
    for record in read_to_end(job.environment.settings.connection, [job.topics.predictions]):
        headers = dict(record.headers)
        if headers.get(Header.KIND) is not None and (id_ := headers.get(CORRELATION_ID)):
            found[id_] += 1
    return found


def prepare_learnable(environment: BenchEnvironment) -> Job:
    """Publish a model of River that a learner can train, and create the topics of its stream."""
    spec = VersionSpec(
        name=MODEL,
        runtime="river",
        task="binary",
        classes=(False, True),
        input_schema=InputSchema.of_floats(EIGHT_FEATURES),
    )
    topics = environment.create_topics(MODEL)
    path = environment.publish(BenchmarkModel(spec, pack(LogisticRegression())))
    workload = next(one for one in WORKLOADS if one.name == WORKLOAD)
    return Job(environment, workload, topics, path)


def measure_faults(environment: BenchEnvironment, plan: FaultPlan) -> Iterator[Measurement]:
    """Measure all three parts."""
    job = prepare_learnable(environment)
    with ExitStack() as stack:
        supervisor = stack.enter_context(Supervisor(environment.folder / "faults", RESTART_BACKOFF))
        system = FaultySystem(job, supervisor)
        plan.report_progress("starting two gateways, a worker, a joiner and a learner")
        system.start()
        for ports in system.ports:
            wait_ready(GATEWAY, None, ports.http, bodies("http")[0])
        plan.report_progress("calls with everything running")
        calm = uvloop.run(call_steadily(system.urls[0], plan, Outcome()))
        yield from counts("all running", calm)
        plan.report_progress(f"the worker is killed {plan.kills} times")
        killed = uvloop.run(killed_worker(system, plan))
        yield from counts(f"{plan.kills} kills", killed)
        found = answers_per_request(job)
        doubled = sum(number > 1 for number in found.values())
        yield measured(f"{plan.kills} kills", DOUBLED, doubled)
        unanswered = len(requests_of(job) - found.keys())
        yield measured(f"{plan.kills} kills", UNANSWERED, unanswered)
        plan.report_progress(f"a gateway is killed with {plan.tickets:,} open tickets")
        yield from killed_gateway(system, plan)


async def killed_worker(system: FaultySystem, plan: FaultPlan) -> Outcome:
    """Send calls while the worker is killed."""
    outcome = Outcome()
    pause = plan.seconds / (plan.kills + 1)
    kills = system.kill_worker(plan.kills, pause, outcome)
    return await call_steadily(system.urls[0], plan, outcome, kills)


def killed_gateway(system: FaultySystem, plan: FaultPlan) -> Iterator[Measurement]:
    """Take tickets from the second gateway, kill it, and redeem them from the first."""
    places = uvloop.run(take_tickets(system.urls[1], plan.tickets))
    system.kill(f"gateway-{system.ports[1].http}")
    redeemed, seconds = uvloop.run(redeem_all(system.urls[0], places))
    yield measured("gateway killed", NOT_REDEEMED, len(places) - redeemed)
    yield measured("gateway killed", "seconds to redeem all", seconds)


def counts(case: str, outcome: Outcome) -> Iterator[Measurement]:
    """Return the counts of calls."""
    yield measured(case, "calls", outcome.calls)
    yield measured(case, LOST, outcome.lost)
    for status, number in sorted(outcome.statuses.items()):
        yield measured(case, f"replies {status or 'none'}", number)


def measured(case: str, measure: str, value: float) -> Measurement:
    """Return a measurement of the gateway."""
    return Measurement(PART, f"faults: {case}", GATEWAY, "REST", measure, value)
