"""What is sampled: services, health, the registry; a server that is away changes nothing else."""

from threading import Event

import pytest

from modstream.broker.client.connection import Connection
from modstream.broker.client.groups import GroupMember
from modstream.broker.errors import BrokerUnavailable, TopicMissing
from modstream.broker.wire.records import TopicPartition
from modstream.broker.wire.topics import Topics
from modstream.dashboard import service_sampler
from modstream.dashboard.registry_facts import ModelFacts
from modstream.dashboard.service_sampler import ServiceSampler, server_of
from modstream.live.lag import ServiceLag
from modstream.models.registry.errors import RegistryUnavailable
from modstream.process.background import BackgroundThread
from modstream.process.health import HealthFiles, HealthReport

TOPICS = Topics("flights")
REQUESTS = [TopicPartition(TOPICS.requests, number) for number in range(3)]


class StubRegistryFacts:
    def __init__(self):
        self.is_available = True
        self.reads = 0
        self.read_again = Event()

    def sample(self):
        if not self.is_available:
            raise RegistryUnavailable("no answer")
        self.reads += 1
        if self.reads > 1:
            self.read_again.set()
        return {"m": ModelFacts({"champion": self.reads})}


@pytest.fixture
def registry():
    return StubRegistryFacts()


@pytest.fixture
def kafka(monkeypatch):
    """Let a worker with two members read the stream; an error in `errors` is raised instead."""
    errors = []

    def service_lags(_connection, _topics):
        if errors:
            raise errors[-1]
        return [ServiceLag("worker", True, {REQUESTS[0]: 1, REQUESTS[1]: 5, REQUESTS[2]: 0})]

    def group_members(_connection, group):
        assert group == "flights.worker"
        other = TopicPartition("other", 0)
        return [
            GroupMember("b\x1b", "/10.0.0.2", (REQUESTS[2], other)),
            GroupMember("a", "/10.0.0.1", (REQUESTS[1], REQUESTS[0])),
        ]

    monkeypatch.setattr(service_sampler, "service_lags", service_lags)
    monkeypatch.setattr(service_sampler, "group_members", group_members)
    return errors


def sampler_of(registry, home, count_events=lambda: 0):
    return ServiceSampler(
        Connection("nowhere:1"), TOPICS, HealthFiles(home), registry, count_events
    )


def test_a_service_has_its_lag_by_partition_and_its_members(kafka, registry, tmp_path):
    HealthFiles(tmp_path).write(HealthReport("worker-0", False, "stalled", 5, 12.5))

    sample = sampler_of(registry, tmp_path).sample()
    (worker,) = sample.services
    (health,) = sample.health

    assert (worker.lag, worker.is_running) == (6, True)
    assert [(one.partition, one.records) for one in worker.partitions] == [(1, 5), (0, 1), (2, 0)]
    assert [(one.client, one.host, one.partitions) for one in worker.members] == [
        ("a", "10.0.0.1", (0, 1)),
        ("b?", "10.0.0.2", (2,)),
    ]
    assert (health.name, health.is_healthy, health.at) == ("worker-0", False, 12_500)
    assert (sample.number, sample.errors) == (1, {})


def test_what_cannot_be_asked_keeps_its_values_and_is_named(kafka, registry, tmp_path):
    sampler = sampler_of(registry, tmp_path)
    assert not sampler.is_registry_known
    before = sampler.latest = sampler.sample()
    assert sampler.is_registry_known
    kafka.append(BrokerUnavailable("nowhere:1", "timed out"))
    registry.is_available = False
    (tmp_path / "health").mkdir()
    (tmp_path / "health" / "odd.json").write_text("[1")

    sample = sampler.sample()

    assert set(sample.errors) == {"kafka", "registry", "health"}
    assert (sample.services, sample.models, sample.lag_at) == (
        before.services,
        before.models,
        before.lag_at,
    )


def test_missing_topics_are_no_silent_broker():
    assert server_of(TopicMissing("flights.requests")) == "topics"
    assert server_of(BrokerUnavailable("nowhere:1", "timed out")) == "kafka"


def test_a_model_event_lets_the_registry_be_read_at_once(kafka, registry, tmp_path, monkeypatch):
    monkeypatch.setattr(service_sampler, "CHECK_INTERVAL_S", 0.01)
    monkeypatch.setattr(service_sampler, "INTERVAL_S", 3600.0)
    events = [0]
    sampler = sampler_of(registry, tmp_path, lambda: events[0])
    with BackgroundThread("sampler", sampler.run):
        assert not registry.read_again.wait(0.1)
        events[0] = 1
        assert registry.read_again.wait(5.0)

    assert sampler.latest.models["m"].champion == 2
    assert sampler.latest.services
