"""The retrainer service trains a challenger from feedback when a model decays."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from random import Random
from threading import Event
from time import monotonic
from types import SimpleNamespace

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import ProducerRecord
from modstream.errors import Interrupted
from modstream.experiments.journal import Journal
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.processors.learn.retrain_policy import RetrainSettings, Trigger
from modstream.registry.access import open_registry
from modstream.retrain.recorded_training import in_this_process
from modstream.retrain.run_log import RetrainingRun, RunLog
from modstream.retrain.runs import RetrainingRuns, choose_alias
from modstream.services.retrainer import Retrainer, run_retrainer
from modstream.settings import load_settings
from tests.processors.small_fixtures import river_model

pytestmark = pytest.mark.real

SCHEMA = InputSchema.of_floats(["x", "y"])
ROWS, TIMEOUT_SECONDS = 400, 180.0
TRIGGER = Trigger("metric", "a drill", {"before": 0.9, "now": 0.5})


@pytest.fixture
def settings(bootstrap, redis_url, prefix, tmp_path):
    settings = load_settings(
        bootstrap=bootstrap, redis=redis_url, prefix=prefix, stream="s", home=tmp_path,
        partitions=1, train={"trials": 1, "folds": 2, "threshold": 0.9},
        retrain={"alias": "batch", "min_window": 100},
    )  # fmt: skip
    Admin(settings.connection).create(settings.topic_specs())
    return settings


@pytest.fixture
def registry(settings):
    """A registry whose model m is untrained."""
    spec = VersionSpec(
        name="m", runtime="river", task="binary", classes=(False, True), input_schema=SCHEMA
    )
    with open_registry(settings) as registry:
        registry.publish(spec, river_model(schema=SCHEMA).runtime.snapshot())
        yield registry


@pytest.fixture
def publisher(settings):
    with Publisher(settings.connection) as publisher:
        yield publisher


def separable_feedback(rows: int) -> Iterator[Feedback]:
    """Yield feedback with separable classes, each row predicted with probability 0.5."""
    random = Random(6)
    for number in range(rows):
        row = {name: random.gauss(0, 1) for name in "xy"}
        yield Feedback(
            id=f"r{number}", label=sum(row.values()) > 0, features=row, event_time=number,
            predictions=(JoinedPrediction(model="m", version=1, outputs={"probability": 0.5}),),
            label_time=number,
        )  # fmt: skip


def metrics(auc: float) -> Metrics:
    values = {"labelled": ROWS, "window": ROWS, "auc": auc}
    return Metrics(kind="prequential", model="m", values=values)


def test_a_model_below_the_threshold_gets_a_challenger_under_the_alias(
    settings, registry, publisher
):
    topics, stop = settings.topics(), Event()
    send_feedback(settings, publisher)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_retrainer, settings, "m", stop)
        # The retrainer ignores metrics from before its start, so they are sent repeatedly.
        deadline = monotonic() + TIMEOUT_SECONDS
        while "batch" not in registry.aliases("m") and monotonic() < deadline:
            publisher.send(ProducerRecord(topics.metrics, b"m", encode(metrics(auc=0.5))))
            publisher.poll(0.1)
        stop.set()
        running.result(TIMEOUT_SECONDS)

    assert registry.aliases("m") == {"champion": 1, "batch": 2}
    card = registry.card("m", "batch")
    assert card.metrics["auc"] > 0.9
    (run,) = RunLog.of(settings.home, "s", "m").state.runs
    assert registry.history("m")[-1].reason == f"auc is 0.5, required is 0.9 (run {run.id})"
    assert (run.outcome, run.trigger.figures) == ("published", {"before": 0.9, "now": 0.5})


def send_feedback(settings, publisher, rows=ROWS):
    for feedback in separable_feedback(rows):
        record = ProducerRecord(settings.topics().feedback, b"k", encode(feedback))
        publisher.send(record)
    publisher.flush()


def runs_of(settings, registry, stop=None):
    def check_stop():
        if stop is not None and stop.is_set():
            raise Interrupted

    log = RunLog.of(settings.home, "s", "m")
    return RetrainingRuns(settings, registry, "m", log, check_stop, in_this_process)


def test_a_retraining_in_progress_is_begun_again_by_the_next_process(settings, registry, publisher):
    send_feedback(settings, publisher)
    stop = Event()
    stop.set()
    interrupted = runs_of(settings, registry, stop).begin(TRIGGER, {})

    assert (interrupted.outcome, registry.aliases("m")) == (None, {"champion": 1})
    resumed = runs_of(settings, registry).resume()

    assert (resumed.id, resumed.outcome, resumed.version) == (interrupted.id, "published", 2)
    assert runs_of(settings, registry).resume() is None


def test_a_version_that_was_published_before_a_kill_is_not_published_again(
    settings, registry, publisher, monkeypatch
):
    send_feedback(settings, publisher)
    runs = runs_of(settings, registry)
    monkeypatch.setattr("modstream.retrain.retrain.announce_challenger", die)
    with pytest.raises(KeyboardInterrupt):
        runs.begin(TRIGGER, {})
    assert registry.aliases("m")["batch"] == 2
    experiments = settings.home / "experiments" / "experiments.jsonl"
    experiments.unlink()  # A kill would not have let it be written.

    run = runs_of(settings, registry).resume()

    assert (run.outcome, run.version) == ("published", 2)
    assert [card.version for card in registry.versions("m")] == [1, 2]
    (experiment,) = Journal(settings.home).read()
    assert (experiment.id, experiment.version) == (run.id, 2)
    assert experiment.trigger.reason == "a drill"


def test_a_run_whose_process_dies_again_and_again_is_abandoned(settings, registry):
    log = RunLog.of(settings.home, "s", "m")
    log.put(RetrainingRun.begin(TRIGGER).model_copy(update={"attempts": 2}))

    run = runs_of(settings, registry).resume()

    assert (run.outcome, run.reason) == ("abandoned", "its process was ended 2 times")
    (experiment,) = Journal(settings.home).read()
    assert (experiment.id, experiment.state) == (run.id, "failed")


def test_too_little_feedback_does_not_stop_the_retrainer(settings, registry):
    run = runs_of(settings, registry).begin(TRIGGER, {})

    assert run.outcome == "not_trained"
    assert run.reason == "there are 0 labelled rows, at least 200 are needed"
    assert registry.aliases("m") == {"champion": 1}


def test_a_rejected_challenger_is_recorded_with_its_reason(settings, registry, publisher):
    send_feedback(settings, publisher)
    strict = settings.model_copy(update={"train": replace(settings.train, threshold=1.5)})

    run = runs_of(strict, registry).begin(TRIGGER, {})

    assert run.outcome == "rejected"
    assert run.reason.endswith("but at least 1.5 is required")
    assert Journal(settings.home).get(run.id).reason == run.reason
    assert registry.aliases("m") == {"champion": 1}


def test_a_pass_of_a_scheduler_reads_what_came_and_waits_after_a_run(
    settings, registry, publisher, monkeypatch
):
    runs = partial(RetrainingRuns, trainer=in_this_process)
    monkeypatch.setattr("modstream.services.retrainer.RetrainingRuns", runs)
    due = replace(settings.retrain, every_hours=1e-6)
    settings = settings.model_copy(update={"retrain": due})
    send_feedback(settings, publisher)

    (run,) = run_retrainer(settings, "m", Event(), once=True)
    assert (run.trigger.kind, run.outcome) == ("schedule", "published")

    send_feedback(settings, publisher)
    assert run_retrainer(settings, "m", Event(), once=True) == []
    state = RunLog.of(settings.home, "s", "m").state
    assert state.waiting == "5,000 labels must come after a retraining"


def test_runs_of_a_day_are_limited(settings, registry):
    limits = replace(settings.retrain, max_runs_per_day=1, min_labels_between=0)
    settings = settings.model_copy(update={"retrain": limits})
    runs = runs_of(settings, registry)
    retrainer = Retrainer(settings.topics(), settings, None, SimpleNamespace(labels=9), runs, None)
    assert retrainer._find_hindrance() == ""

    runs.begin(TRIGGER, {})

    assert retrainer._find_hindrance() == "1 retrainings within 24 hours"


def die(*_):
    raise KeyboardInterrupt


def test_while_one_alias_serves_the_spare_one_gets_the_challenger():
    limits = RetrainSettings(alias="a", spare_alias="b")

    assert choose_alias({"champion": 1, "a": 2, "b": 1}, limits) == "a"
    assert choose_alias({"champion": 2, "a": 2, "b": 1}, limits) == "b"
    assert choose_alias({"champion": 2, "a": 2}, RetrainSettings(alias="a")) == "a"
