"""The harness of the benchmark, around the raw pass-through on a real Kafka."""

import sys

import pytest

from bench import payloads
from bench.answers import Answers, answers_since
from bench.benchmark_models import logistic
from bench.environment import Ground
from bench.running import Glance, Running
from bench.saturation import Unanswered, found, marked, watch
from bench.systems import LIMITS, Job
from bench.workloads import Workload
from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.broker.errors import NotJson
from modstream.broker.wire.dead_letters import dead_letter
from modstream.broker.wire.records import Record
from modstream.process.supervisor import Command
from modstream.settings import load_settings

COUNT = 500
ROW = Workload("row2", "row", logistic, lambda: payloads.row(["x0", "x1"]), 1000, "")


@pytest.fixture
def job(bootstrap, prefix, tmp_path):
    settings = load_settings(bootstrap=bootstrap, prefix=prefix, home=tmp_path)
    ground = Ground(settings, tmp_path, Admin(settings.connection))
    topics = ground.create("row2")
    ground.lay(ROW.requests(topics.requests, COUNT))
    return Job(ground, ROW, topics, tmp_path / "row2.onnx")


def committed(job):
    return job.ground.admin.committed(job.group, [job.topics.requests]).values()


@pytest.mark.real
@pytest.mark.parametrize("limit", LIMITS, ids=str)
def test_the_pass_through_answers_each_request_once_and_its_group_is_forgotten(job, limit):
    before = marked(job)
    with Running(job.ground, [limit.command(job)]) as running:
        glances = watch(job, running, before, COUNT, most=30)
    answers = answers_since(job.ground.settings.connection, before.answers)

    assert (answers.count, answers.errors) == (COUNT, 0)
    assert glances[-1].answered >= COUNT
    assert sum(committed(job)) == COUNT
    job.ground.forget(job.group)
    assert not committed(job)


@pytest.mark.real
def test_a_dead_letter_ends_the_watching_before_any_answer(job):
    before = marked(job)
    letter = dead_letter(Record("row2", 0, 0, b"k", b"{"), job.topics.dlq, NotJson("x"), "s")
    idle = Command("idle", (sys.executable, "-c", "import signal; signal.pause()"))
    with Publisher(job.ground.settings.connection) as publisher:
        publisher.send(letter)
        publisher.flush()
    with Running(job.ground, [idle]) as running:
        assert watch(job, running, before, COUNT, most=30) == []
        assert marked(job).letters == before.letters + 1


@pytest.fixture
def answers():
    return Answers(count=1100, first=1_000, last=3_000)


def test_processor_time_is_taken_between_the_first_and_the_last_new_answer(answers):
    glances = [
        Glance(0.0, 100, 1.0, 5 * 2**20),
        Glance(0.1, 1100, 1.5, 9 * 2**20),
        Glance(1.2, 1100, 9.9, 7 * 2**20),
    ]
    run = found(glances, answers, 1100)

    assert run.cpu_us == pytest.approx(500)
    assert run.memory_mib == 9
    assert run.throughput == pytest.approx(550)
    assert run.whole


def test_a_run_that_was_seen_only_once_has_no_figures(answers):
    with pytest.raises(Unanswered, match="between two looks"):
        found([Glance(0.0, 1100, 1.0, 1)], answers, 1100)
