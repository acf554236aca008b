"""Samples of what no topic tells: lag, members of the groups, health reports, registry."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Event
from time import monotonic, time

from modstream.broker.client.connection import Connection
from modstream.broker.client.groups import group_members
from modstream.broker.errors import BrokerError, TopicMissing
from modstream.broker.wire.topics import Topics
from modstream.dashboard.registry_facts import ModelFacts, RegistryFacts
from modstream.dashboard.snapshots import HealthView, Member, PartitionLag, ServiceView
from modstream.dashboard.texts import cut
from modstream.live.lag import LEARNER, ServiceLag, input_topics, service_lags
from modstream.models.errors import ModelError
from modstream.process.health import HealthFiles, HealthReport

INTERVAL_S = 5.0
"""Time between two samples."""
CHECK_INTERVAL_S = 0.5
"""Time between two looks for model events, after which the registry is read again."""
MAX_PARTITIONS = 1000
MAX_MEMBERS = 200
MAX_REPORTS = 200


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured last; `lag_at` is when (ms), None before the first time.

    `errors` says why something could not be asked, by what: `kafka`, `topics` that do not exist,
    `registry`, `health`.
    """

    number: int = 0
    lag_at: int | None = None
    services: tuple[ServiceView, ...] = ()
    health: tuple[HealthView, ...] = ()
    models: Mapping[str, ModelFacts] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


class ServiceSampler:
    """Measures every `INTERVAL_S`; `run` is the target of one background thread.

    The registry is read as soon as `count_events` returns another number of model events, too. What
    cannot be measured keeps its value of before, and `errors` says why.
    """

    def __init__(
        self,
        connection: Connection,
        topics: Topics,
        health: HealthFiles,
        registry: RegistryFacts,
        count_events: Callable[[], int],
    ) -> None:
        self._connection = connection
        self._topics = topics
        self._health = health
        self._registry = registry
        self._count_events = count_events
        self.latest = Sample()

    @property
    def is_registry_known(self) -> bool:
        """Whether the registry has answered the last time that it was asked."""
        return self.latest.number > 0 and "registry" not in self.latest.errors

    def run(self, stop: Event) -> None:
        """Measure until `stop` is set."""
        next_sample, events = 0.0, -1
        while not stop.is_set():
            count = self._count_events()
            if monotonic() >= next_sample:
                self.latest = self.sample()
                next_sample = monotonic() + INTERVAL_S
            elif count != events:
                self.latest = self.sample_registry()
            events = count
            stop.wait(CHECK_INTERVAL_S)

    def sample(self) -> Sample:
        """Measure now."""
        before, errors = self.latest, dict[str, str]()
        lag_at, services, health = before.lag_at, before.services, before.health
        try:
            services = self._services()
            lag_at = int(time() * 1000)
        except BrokerError as error:
            errors[server_of(error)] = str(error)
        try:
            health = tuple(map(health_view, self._health.read()[:MAX_REPORTS]))
        except (OSError, ValueError, TypeError) as error:
            errors["health"] = str(error)
        measured = Sample(before.number, lag_at, services, health, before.models, errors)
        return self._with_models(measured)

    def sample_registry(self) -> Sample:
        """Read the registry now; the rest is that of the last sample."""
        return self._with_models(self.latest)

    def _with_models(self, sample: Sample) -> Sample:
        """Return the next sample, with the models of the registry as they are now."""
        errors = {name: error for name, error in sample.errors.items() if name != "registry"}
        models = sample.models
        try:
            models = self._registry.sample()
        except ModelError as error:
            errors["registry"] = str(error)
        return replace(sample, number=sample.number + 1, models=models, errors=errors)

    def _services(self) -> tuple[ServiceView, ...]:
        return tuple(
            service_view(lag, self._members(lag.service))
            for lag in service_lags(self._connection, self._topics)
        )

    def _members(self, service: str) -> tuple[Member, ...]:
        """Return the members of a service's group, with their partitions of its first input."""
        if service == LEARNER:
            return ()
        topic = input_topics(self._topics)[service][0]
        members = group_members(self._connection, self._topics.group(service))
        return tuple(
            Member(
                cut(one.client),
                cut(one.host.removeprefix("/")),
                tuple(sorted(p.partition for p in one.partitions if p.topic == topic)),
            )
            for one in sorted(members, key=lambda one: (one.client, one.host))[:MAX_MEMBERS]
        )


def server_of(error: BrokerError) -> str:
    """Return what does not answer: the topics if they do not exist, else Kafka."""
    return "topics" if isinstance(error, TopicMissing) else "kafka"


def service_view(lag: ServiceLag, members: Sequence[Member]) -> ServiceView:
    """Return a service with its lag, largest first, and the members of its group."""
    partitions = sorted(lag.records.items(), key=lambda one: (-one[1], one[0]))
    return ServiceView(
        service=lag.service,
        is_running=lag.is_running,
        lag=sum(lag.records.values()),
        partitions=tuple(
            PartitionLag(partition.topic, partition.partition, records)
            for partition, records in partitions[:MAX_PARTITIONS]
        ),
        members=tuple(members),
    )


def health_view(report: HealthReport) -> HealthView:
    """Return a health report with its time in ms."""
    return HealthView(
        report.name, report.is_healthy, cut(report.reason, 500), report.lag, int(report.at * 1000)
    )
