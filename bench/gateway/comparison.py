"""The gateway beside the constant server, peers, and the direct Kafka path: rounds in turns.

All servers run at the same time; one is loaded at a time. Ratios are to the constant server in the
same round.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import psutil

from bench.environment import BenchEnvironment
from bench.gateway.direct import DirectLatency, measure_direct
from bench.gateway.runs import LoadFailed, LoadRun, bodies, brokers, plan_for, run_load
from bench.gateway.servers import (
    CONSTANT,
    GATEWAY,
    MODEL,
    OWN,
    Endpoint,
    ServerFailed,
    ServerKind,
    running,
    worker,
)
from bench.results import Measurement, Missing
from bench.running import RunningSystem
from bench.systems import Delivery, Job
from bench.targets import CPU, P50, P99, REQUESTS
from bench.workloads import WORKLOADS

PART = "gateway"
SATURATION = "64 connections"
WORKLOAD = "oip8"
DIRECT = "direct Kafka path"
OVER_DIRECT = "over the direct path"
AHEAD = "throughput of"
WARM_UP_SECONDS = 4.0
"""Time under load, before the first round, in which Kafka's virtual machine compiles its code."""
GENERATOR_CPU = "generator CPU %"


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """The extent: rounds, seconds of one load, rates of the open loops; the worker's delivery."""

    peers: tuple[ServerKind, ...]
    rounds: int = 3
    seconds: float = 5.0
    rates: tuple[float, ...] = (200.0, 1000.0)
    delivery: Delivery = "exactly_once"
    report_progress: Callable[[str], None] = lambda _doing: None


def prepare(environment: BenchEnvironment) -> Job:
    """Publish the model, and create the topics of its stream."""
    workload = next(one for one in WORKLOADS if one.name == WORKLOAD)
    topics = environment.create_topics(MODEL)
    return Job(environment, workload, topics, environment.publish(workload.make_model()))


def compare(environment: BenchEnvironment, plan: GatewayPlan) -> Iterator[Measurement | Missing]:
    """Start everything, and measure each endpoint once a round."""
    job = prepare(environment)
    with ExitStack() as stack:
        process = stack.enter_context(RunningSystem(environment, [worker(job, plan.delivery)]))
        endpoints: list[Endpoint] = []
        for kind in (*OWN, *plan.peers):
            plan.report_progress(f"starting {kind.name}")
            try:
                endpoints += stack.enter_context(running(kind, job, bodies("http")[0]))
            except ServerFailed as error:
                yield Missing(PART, SATURATION, kind.name, "", str(error))
        extra = {"worker": process.processes, "broker": brokers(environment)}
        for endpoint in endpoints:
            plan.report_progress(f"warming up {endpoint}")
            with suppress(LoadFailed):  # Then its rounds fail, too, and name the reason.
                run_load(plan_for(endpoint, WARM_UP_SECONDS), {})
        for number in range(plan.rounds):
            yield from measure_round(job, endpoints, plan, f"round {number + 1}", extra)


def measure_round(
    job: Job,
    endpoints: Sequence[Endpoint],
    plan: GatewayPlan,
    label: str,
    extra: Mapping[str, Sequence[psutil.Process]],
) -> Iterator[Measurement | Missing]:
    """Measure each endpoint at saturation and at each rate; one that fails is missing."""
    found: list[Measurement] = []
    for endpoint in endpoints:
        plan.report_progress(f"{label}: {endpoint}")
        try:
            found += measure_saturation(endpoint, plan, extra)
            for rate in plan.rates:
                found += measure_rate(endpoint, plan, rate)
        except LoadFailed as error:
            yield Missing(PART, SATURATION, endpoint.system, endpoint.mode, str(error))
        if (endpoint.system, endpoint.protocol) == (GATEWAY, "http"):
            plan.report_progress(f"{label}: {DIRECT}")
            direct = measure_direct(job, plan.rates[0], plan.seconds)
            found += direct_measurements(direct, plan.rates[0], found)
    yield from with_constant([*found, *ahead(found)])


def measure_saturation(
    endpoint: Endpoint, plan: GatewayPlan, extra: Mapping[str, Sequence[psutil.Process]]
) -> list[Measurement]:
    """Measure an endpoint with 64 connections that always have a call in hand."""
    watched = {"server": endpoint.process.processes, **extra}
    run = run_load(plan_for(endpoint, plan.seconds), watched)
    check(run, endpoint)
    about = (PART, SATURATION, endpoint.system, endpoint.mode)
    measured = [
        Measurement(*about, REQUESTS, run.result.throughput),
        Measurement(*about, P50, run.result.percentile_ms(50)),
        Measurement(*about, P99, run.result.percentile_ms(99)),
        Measurement(*about, CPU, run.cpu_us("server")),
        Measurement(*about, GENERATOR_CPU, 100 * run.result.cpu_seconds / plan.seconds),
    ]
    if endpoint.system == GATEWAY:
        whole = run.cpu_us("server", *extra)
        measured.append(Measurement(*about, f"{CPU}, with worker and broker", whole))
    return measured


def measure_rate(endpoint: Endpoint, plan: GatewayPlan, rate: float) -> list[Measurement]:
    """Measure the latency of an endpoint at a steady rate."""
    run = run_load(plan_for(endpoint, plan.seconds, rate), {})
    check(run, endpoint)
    about = (PART, f"{rate:g}/s", endpoint.system, endpoint.mode)
    unanswered = run.result.sent - run.result.answered
    measured = [
        Measurement(*about, P50, run.result.percentile_ms(50)),
        Measurement(*about, P99, run.result.percentile_ms(99)),
    ]
    if unanswered:
        measured.append(Measurement(*about, "not answered with 200", unanswered))
    return measured


def check(run: LoadRun, endpoint: Endpoint) -> None:
    """Check that a run has answers.

    Raises:
        LoadFailed: there are none.
    """
    if not run.result.answered:
        found = f"{run.result.statuses}, {run.result.errors[:1]}"
        raise LoadFailed(f"{endpoint} answers no call with 200, but {found}")


def direct_measurements(
    direct: DirectLatency, rate: float, measured: Sequence[Measurement]
) -> list[Measurement]:
    """Return the percentiles of the direct path, and how far the gateway's are above them."""
    case = f"{rate:g}/s"
    own = {
        one.measure: one.value
        for one in measured
        if (one.case, one.system, one.mode) == (case, GATEWAY, "REST")
    }
    found = []
    for measure, value in ((P50, direct.p50), (P99, direct.p99)):
        found.append(Measurement(PART, case, DIRECT, "", measure, value))
        if measure in own:
            above = own[measure] - value
            found.append(
                Measurement(PART, case, GATEWAY, "REST", f"{measure} {OVER_DIRECT}", above)
            )
    return found


def ahead(measured: Sequence[Measurement]) -> list[Measurement]:
    """Return the gateway's throughput as multiples of MLServer's, protocol by protocol."""
    rates = {(m.system, m.mode): m.value for m in measured if m.measure == REQUESTS}
    return [
        Measurement(
            PART, SATURATION, GATEWAY, mode, f"{AHEAD} mlserver", rates[GATEWAY, mode] / value
        )
        for (system, mode), value in rates.items()
        if system == "mlserver" and (GATEWAY, mode) in rates
    ]


def with_constant(measured: Sequence[Measurement]) -> list[Measurement]:
    """Return the measurements of a round, each with the constant server's value."""
    limit = {(m.case, m.measure): m.value for m in measured if m.system == CONSTANT}
    return [m._replace(pass_through=limit.get((m.case, m.measure))) for m in measured]
