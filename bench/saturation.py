"""Saturation: how fast a system processes preloaded requests, and what that costs.

The time is that between the first and the last response, by the broker's clock (LogAppendTime).
The processor time is that of the system's processes over the same period. A system that takes
too long is stopped, and the responses until then count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic, sleep
from typing import NamedTuple

from bench.responses import ResponseStats, read_response_stats
from bench.running import ResourceSample, RunningSystem
from bench.systems import Job, System
from modstream.broker.wire.records import TopicPartition

SAMPLE_INTERVAL_SECONDS = 0.1
"""Time between two samples of a system."""
QUIET_SECONDS = 1.0
"""Time without a new response after which a complete run is over."""
START_TIMEOUT_SECONDS = 300.0
"""Timeout of the first response; on a busy machine a start takes long."""
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Saturation:
    """The result of one run; `is_complete` is False if it was stopped before the last response."""

    records: int
    seconds: float
    cpu_us: float
    memory_mib: float
    is_complete: bool

    @property
    def throughput(self) -> float:
        """Responses per second."""
        return self.records / self.seconds


class RunFailed(Exception):
    """A run without a valid result: responses are missing, duplicated or errors."""


def saturate(
    job: Job, system: System, count: int, max_seconds: float, workers: int = 1
) -> Saturation:
    """Let a system process `count` requests, for up to `max_seconds` after its first response.

    Raises:
        RunFailed: the run has no valid result.
    """
    environment = job.environment
    environment.delete_group(job.group)
    environment.admin.wait_for_transactions([job.topics.predictions])
    commands = [system.command(one) for one in instances(job, workers)]
    before = topic_ends(job)
    with RunningSystem(environment, commands) as running:
        if system.needs_live_requests:
            before = wait_ready(job, system, running)
            environment.preload(job.workload.requests(job.topics.requests, count, system.headers))
        samples = sample_until_done(job, running, before, count, max_seconds)
    if topic_ends(job).dead_letters > before.dead_letters:
        raise RunFailed(f"{system}: not supported, the requests became dead letters")
    responses = read_response_stats(environment.settings.connection, before.responses)
    _check(system, responses, count, running.tail())
    return saturation_of(samples, responses, count)


def instances(job: Job, workers: int) -> list[Job]:
    """Return the same job for each of several processes."""
    return [
        Job(job.environment, job.workload, job.topics, job.model, number)
        for number in range(workers)
    ]


class TopicEnds(NamedTuple):
    """The end offsets of a stream's responses, and the number of its dead letters."""

    responses: dict[TopicPartition, int]
    dead_letters: int


def topic_ends(job: Job) -> TopicEnds:
    """Return the current ends of a job's topics."""
    topics, ends = job.topics, job.environment.end_offsets
    return TopicEnds(ends(topics.predictions), sum(ends(topics.dlq).values()))


def wait_ready(job: Job, system: System, running: RunningSystem) -> TopicEnds:
    """Send requests until one has a response, or START_TIMEOUT_SECONDS; return the topic ends."""
    started, topic = monotonic(), job.topics.requests
    before = after = topic_ends(job)
    while (
        after == before
        and not running.has_exited()
        and monotonic() - started < START_TIMEOUT_SECONDS
    ):
        job.environment.preload(job.workload.requests(topic, 1, system.headers))
        sleep(QUIET_SECONDS)
        after = topic_ends(job)
    return after


def sample_until_done(
    job: Job, running: RunningSystem, before: TopicEnds, count: int, max_seconds: float
) -> list[ResourceSample]:
    """Sample a system from its first response to its last, for up to `max_seconds`."""
    started, already = monotonic(), sum(before.responses.values())
    samples: list[ResourceSample] = []
    while not running.has_exited():
        now = topic_ends(job)
        answered = sum(now.responses.values()) - already
        if answered:
            samples.append(running.sample(answered))
        elif (
            monotonic() - started > START_TIMEOUT_SECONDS or now.dead_letters > before.dead_letters
        ):
            break
        if samples and (samples[-1].at - samples[0].at > max_seconds or _is_done(samples, count)):
            break
        sleep(SAMPLE_INTERVAL_SECONDS)
    return samples


def _is_done(samples: Sequence[ResourceSample], count: int) -> bool:
    """Return whether all requests have responses, and no new one has arrived for QUIET_SECONDS.

    End offsets also count transaction markers, so they may exceed the number of responses.
    """
    now = samples[-1]
    last_change = next(one.at for one in samples if one.answered == now.answered)
    return now.answered >= count and now.at - last_change > QUIET_SECONDS


def _check(system: System, responses: ResponseStats, count: int, log: str) -> None:
    if responses.errors:
        raise RunFailed(f"{system}: {responses.errors} errors, first {responses.first_error!r}")
    if responses.seconds <= 0:
        raise RunFailed(f"{system}: {responses.count} of {count} responses\n{log}")
    if system.delivery == "exactly_once" and responses.count > count:
        raise RunFailed(f"{system}: {responses.count} responses to {count} requests")


def saturation_of(
    samples: Sequence[ResourceSample], responses: ResponseStats, count: int
) -> Saturation:
    """Return the result of a run; the processor time ends with the last new response.

    Raises:
        RunFailed: the run ended before a second sample was taken.
    """
    first = samples[0]
    last = next(one for one in samples if one.answered == samples[-1].answered)
    if last is first:
        raise RunFailed(
            f"{responses.count} responses arrived between two samples: preload more requests"
        )
    return Saturation(
        records=responses.count,
        seconds=responses.seconds,
        cpu_us=1e6 * (last.cpu - first.cpu) / (last.answered - first.answered),
        memory_mib=max(one.memory for one in samples) / MIB,
        is_complete=responses.count >= count,
    )
