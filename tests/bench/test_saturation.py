"""Saturation runs of the pass-through on a real Kafka, and the results of runs."""

import sys

import pytest

from bench import payloads
from bench.benchmark_models import logistic
from bench.environment import BenchEnvironment
from bench.responses import ResponseStats, read_response_stats
from bench.running import ResourceSample, RunningSystem
from bench.saturation import RunFailed, sample_until_done, saturation_of, topic_ends
from bench.systems import PASS_THROUGH, Job
from bench.workloads import Workload
from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.broker.errors import NotJson
from modstream.broker.wire.dead_letters import build_dead_letter
from modstream.broker.wire.records import Record
from modstream.process.supervisor import Command
from modstream.settings import load_settings

COUNT = 500
ROW = Workload("row2", "row", logistic, lambda: payloads.row(["x0", "x1"]), 1000, "")


@pytest.fixture
def job(bootstrap, prefix, tmp_path, monkeypatch):
    """A job with preloaded requests, in a folder from which `bench` is not importable."""
    monkeypatch.chdir(tmp_path)
    settings = load_settings(bootstrap=bootstrap, prefix=prefix, home=tmp_path)
    environment = BenchEnvironment(settings, tmp_path, Admin(settings.connection))
    topics = environment.create_topics("row2")
    environment.preload(ROW.requests(topics.requests, COUNT))
    return Job(environment, ROW, topics, tmp_path / "row2.onnx")


def committed(job):
    return job.environment.admin.committed_offsets(job.group, [job.topics.requests]).values()


@pytest.mark.real
@pytest.mark.parametrize("system", PASS_THROUGH, ids=str)
def test_the_pass_through_copies_each_request_once_and_its_group_can_be_deleted(job, system):
    before = topic_ends(job)
    with RunningSystem(job.environment, [system.command(job)]) as running:
        samples = sample_until_done(job, running, before, COUNT, max_seconds=30)
    stats = read_response_stats(job.environment.settings.connection, before.responses)

    assert (stats.count, stats.errors) == (COUNT, 0)
    assert samples[-1].answered >= COUNT
    assert sum(committed(job)) == COUNT
    job.environment.delete_group(job.group)
    assert not committed(job)


@pytest.mark.real
def test_a_dead_letter_ends_the_sampling_before_any_response(job):
    before = topic_ends(job)
    letter = build_dead_letter(Record("row2", 0, 0, b"k", b"{"), job.topics.dlq, NotJson("x"), "s")
    idle = Command("idle", (sys.executable, "-c", "import signal; signal.pause()"))
    with Publisher(job.environment.settings.connection) as publisher:
        publisher.send(letter)
        publisher.flush()
    with RunningSystem(job.environment, [idle]) as running:
        assert sample_until_done(job, running, before, COUNT, max_seconds=30) == []
        assert topic_ends(job).dead_letters == before.dead_letters + 1


@pytest.fixture
def stats():
    return ResponseStats(count=1100, first_ms=1_000, last_ms=3_000)


def test_processor_time_is_measured_between_the_first_and_the_last_new_response(stats):
    samples = [
        ResourceSample(0.0, 100, 1.0, 5 * 2**20),
        ResourceSample(0.1, 1100, 1.5, 9 * 2**20),
        ResourceSample(1.2, 1100, 9.9, 7 * 2**20),
    ]
    run = saturation_of(samples, stats, 1100)

    assert run.cpu_us == pytest.approx(500)
    assert run.memory_mib == 9
    assert run.throughput == pytest.approx(550)
    assert run.is_complete


def test_a_run_with_a_single_sample_fails(stats):
    with pytest.raises(RunFailed, match="between two samples"):
        saturation_of([ResourceSample(0.0, 1100, 1.0, 1)], stats, 1100)
