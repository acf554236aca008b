"""The stream at one moment: rates, latencies, services, health, problems."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that needs attention: a sentence, and the command that helps.

    `about` is a stable name for what the problem is about, such as `lag/worker`.
    """

    severity: Severity
    about: str
    sentence: str
    remedy: str


@dataclass(frozen=True, slots=True)
class History:
    """How far the figures reach back.

    Attributes:
        wanted_from: the beginning of the history that is shown.
        complete_from: all records since this time are counted; it falls to `wanted_from` while the
            topics are read after a start.
        is_complete: whether the history is loaded.
        records: records that were read so far.
        left_out: records that are not counted, because their timestamps are outside the history.
        unreadable: metrics and model events that violate their contract.
    """

    wanted_from: int
    complete_from: int
    is_complete: bool
    records: int
    left_out: int
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class StreamSeries:
    """Rates per second and latencies in ms: one value for each interval of `step` ms.

    Value i covers the times from `start + i * step` to before `start + (i + 1) * step`; the last
    interval is the newest one that has ended. `answers` are predictions of all models, `refusals`
    typed errors. Requests and dead letters count at the timestamp of the request, answers,
    refusals and latencies at that of the answer. A latency is None without answers. `labels` are
    labels per second.
    """

    start: int
    step: int
    requests: tuple[float, ...]
    answers: tuple[float, ...]
    refusals: tuple[float, ...]
    dead_letters: tuple[float, ...]
    labels: tuple[float, ...]
    p50: tuple[float | None, ...]
    p95: tuple[float | None, ...]
    p99: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class StreamTotals:
    """Counts over some time, and latencies in ms over all of it; None without answers."""

    requests: int
    answers: int
    refusals: int
    dead_letters: int
    labels: int
    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """The records of one partition that wait for a service."""

    topic: str
    partition: int
    records: int


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a service's consumer group, and the partitions that it reads now."""

    client: str
    host: str
    partitions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A service that runs or has run on the stream: worker, joiner, learner.

    `lag` is the sum of `partitions`. The learner is no member of a group and has no `members`.
    """

    service: str
    is_running: bool
    lag: int
    partitions: tuple[PartitionLag, ...]
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class HealthView:
    """The health report of one process in the home folder; a report too old is unhealthy."""

    name: str
    is_healthy: bool
    reason: str
    lag: int | None
    at: int


@dataclass(frozen=True, slots=True)
class StreamView:
    """The stream: its rates, latencies, services, and what is wrong.

    `totals` are those from the beginning of the series until now, `current` those since the end of
    the series. `lag_at` is when lag and services were measured last, None before the first time.
    """

    stream: str
    now: int
    revision: int
    history: History
    series: StreamSeries
    totals: StreamTotals
    services: tuple[ServiceView, ...]
    health: tuple[HealthView, ...]
    lag_at: int | None
    problems: tuple[Problem, ...]
    current: StreamTotals
