"""The AutoML loop: the loss of a model rises, a challenger is trained, and the gate judges it."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from threading import Event
from time import monotonic, sleep

import psutil
import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.broker.wire.records import ProducerRecord
from modstream.experiments.journal import Journal
from modstream.producers.client.client import Client
from modstream.registry.access import open_registry
from modstream.retrain.run_log import RunLog
from modstream.services.learner import run_learner
from modstream.services.retrainer import run_retrainer
from modstream.services.worker import run_worker
from modstream.settings import load_settings
from modstream.stack.local_stack import child_environment
from tests.modstream.services.candidate_registry import publish_onnx, publish_river

pytestmark = [pytest.mark.real, pytest.mark.journey]

WINDOW, TIMEOUT_SECONDS = 300, 240.0


@pytest.fixture
def settings(bootstrap, redis_url, prefix, tmp_path):
    settings = load_settings(
        bootstrap=bootstrap, redis=redis_url, prefix=prefix, stream="s", home=tmp_path,
        route=("m",), partitions=1, candidates=("steady", "batch"),
        publish={"min_interval_seconds": 0.05}, gate={"min_comparisons": 100},
        train={"trials": 1, "folds": 2, "max_rows": 2 * WINDOW},
        retrain={"alias": "batch", "window": WINDOW},
    )  # fmt: skip
    Admin(settings.connection).create(settings.topic_specs())
    return settings


@pytest.fixture
def registry(settings):
    """A registry with a linear champion that learns, and a constant batch candidate."""
    with open_registry(settings) as registry:
        publish_river(registry, "steady", 0.0001)
        publish_onnx(registry, "batch", 0.5)
        registry.promote("m", 1)
        yield registry


class Stream:
    """Sends labelled rows whose first concept, the sign of x, the champion predicted well."""

    def __init__(self, settings, publisher):
        self._topic = settings.topics().feedback
        self._publisher = publisher
        self._random, self._number = Random(4), 0

    def send(self, rows, label):
        for _ in range(rows):
            self._number += 1
            row = {name: self._random.gauss(0, 1) for name in "xy"}
            outputs = {"probability": 0.9 if row["x"] > 0 else 0.1}
            feedback = Feedback(
                id=f"r{self._number}", features=row, label=label(row, self._random),
                predictions=(JoinedPrediction(model="m", version=1, outputs=outputs),),
                event_time=self._number * 1000, label_time=self._number * 1000,
            )  # fmt: skip
            self._publisher.send(ProducerRecord(self._topic, b"k", encode(feedback)))
        self._publisher.flush()


@pytest.fixture
def stream(settings):
    with Publisher(settings.connection) as publisher:
        yield Stream(settings, publisher)


def sign_of_x(row, _random):
    return row["x"] > 0


def same_sign(row, _random):
    return row["x"] * row["y"] > 0


def chance(_row, random):
    return random.random() < 0.5


@contextmanager
def services(settings):
    """Run a learner and a worker."""
    stop = Event()
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(run_learner, settings, "m", stop)]
        running.append(pool.submit(run_worker, settings, stop))
        try:
            yield
        finally:
            stop.set()
            for one in running:
                one.result(TIMEOUT_SECONDS)


def test_a_changed_concept_leads_to_a_challenger_that_the_gate_promotes(settings, registry, stream):
    stream.send(WINDOW, sign_of_x)
    stream.send(2 * WINDOW, same_sign)

    (run,) = run_retrainer(settings, "m", Event(), once=True)

    assert (run.trigger.kind, run.outcome, run.alias) == ("loss", "published", "batch")
    assert run.trigger.reason.startswith("log loss went from 0.105")
    experiment = Journal(settings.home).get(run.id)
    assert (experiment.state, experiment.version) == ("accepted", run.version)
    assert experiment.trigger == run.trigger
    deadline = monotonic() + TIMEOUT_SECONDS
    with services(settings), Client(settings.connection, settings.topics()) as client:
        while registry.aliases("m")["champion"] != run.version:
            assert monotonic() < deadline
            stream.send(100, same_sign)
        for x, y, likely in ((1.0, 1.0, True), (1.0, -1.0, False)):
            pending = client.send({"x": x, "y": y}, model="m")
            answer = client.wait(pending, TIMEOUT_SECONDS)
            assert answer.version == run.version
            assert (answer.outputs["probability"] > 0.5) is likely


@pytest.mark.long
def test_a_retrainer_that_is_killed_again_and_again_publishes_once(settings, registry, stream):
    patient = replace(settings.retrain, max_attempts=20)
    settings = settings.model_copy(update={"retrain": patient})
    stream.send(WINDOW, sign_of_x)
    stream.send(2 * WINDOW, same_sign)

    for moment in (has_begun, trains, has_published(registry)):
        process = start_retrainer(settings)
        while process.poll() is None and not moment(settings, process):
            sleep(0.005)
        trainings = psutil.Process(process.pid).children() if process.poll() is None else []
        process.kill()
        process.wait(TIMEOUT_SECONDS)
        _, alive = psutil.wait_procs(trainings, TIMEOUT_SECONDS)
        assert alive == [], "a training outlives its retrainer"
    last = start_retrainer(settings)

    assert last.wait(TIMEOUT_SECONDS) == 0
    (run,) = RunLog.of(settings.home, "s", "m").state.runs
    assert (run.outcome, run.alias) == ("published", "batch")
    assert registry.newest("m").version == run.version == 3
    assert [one.id for one in Journal(settings.home).read()] == [run.id]


def start_retrainer(settings):
    command = [sys.executable, "-m", "modstream", "retrainer", "--model", "m", "--once"]
    return subprocess.Popen(command, env=child_environment(settings), start_new_session=True)


def has_begun(settings, _process):
    return bool(RunLog.of(settings.home, "s", "m").state.runs)


def trains(_settings, process):
    return bool(psutil.Process(process.pid).children())


def has_published(registry):
    return lambda _settings, _process: registry.newest("m").version > 2


def test_a_challenger_that_is_no_better_is_refused_with_its_reason(settings, registry, stream):
    demanding = replace(settings.train, threshold=0.75)
    settings = settings.model_copy(update={"train": demanding})
    stream.send(WINDOW, sign_of_x)
    stream.send(2 * WINDOW, chance)

    (run,) = run_retrainer(settings, "m", Event(), once=True)

    assert (run.trigger.kind, run.outcome, run.version) == ("loss", "rejected", None)
    assert run.reason.endswith("but at least 0.75 is required")
    assert Journal(settings.home).get(run.id).reason == run.reason
    assert registry.aliases("m") == {"champion": 1, "steady": 1, "batch": 2}
