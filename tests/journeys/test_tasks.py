"""Every kind of model passes through all steps: request, prediction, label, join, new version.

One worker, one joiner and one stream serve all models; requests name their model.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from uuid import uuid4

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.tree import DecisionTreeClassifier

from modstream.broker.client.reader import Reader, read_to_end
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Feedback
from modstream.broker.wire.model_contracts import Metrics
from modstream.models.importers.river import import_river
from modstream.models.importers.sklearn import import_sklearn
from modstream.models.runtimes.river.artifact import pack
from modstream.models.runtimes.runtime import load
from modstream.models.schema.artifact import Artifact
from modstream.processors.predict.outputs import by_name
from modstream.services.learner import run_learner
from tests.journeys.conftest import TIMEOUT_SECONDS, System, open_system, with_route
from tests.journeys.task_cases import CASES, rows_of

pytestmark = [pytest.mark.real, pytest.mark.journey]


@pytest.fixture(scope="module")
def stack(
    bootstrap: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """A worker and a joiner of one stream, for all tests of this module."""
    with open_system(
        bootstrap, redis_url, f"t{uuid4().hex[:8]}.", tmp_path_factory.mktemp("tasks")
    ) as opened:
        system = with_route(opened, "cells", stream="tasks")
        system.create_topics()
        publish_champion(system)
        system.start("worker", "worker")
        system.start("joiner", "joiner")
        system.wait_for_worker()
        yield system


def publish_champion(system):
    """Publish a model of cells that has learned nothing, since its labels were shuffled."""
    data = load_breast_cancer(as_frame=True)
    shuffled = np.random.default_rng(0).permutation(data.target)
    model = DecisionTreeClassifier(max_depth=2, random_state=0).fit(data.data, shuffled)
    with system.registry() as registry:
        registry.publish(*import_sklearn("cells", model)[:2])


def publish(system, name, case):
    """Publish a file from the shell, with what River does not know about its model."""
    path = system.folder / f"{name}.river"
    path.write_bytes(pack(*case.unpacked))
    options = [
        option for one in case.description.features for option in ("-f", feature_option(one))
    ]
    options += [option for label in case.description.classes for option in ("--class", f"{label}")]
    done = system.run("models", "publish", name, str(path), *options)
    assert done.returncode == 0, done.stderr


def feature_option(feature):
    bounds = "" if feature.high is None else f":{feature.low:g}:{feature.high:g}"
    return f"{feature.name}:{feature.kind}{bounds}"


@contextmanager
def run_learner_thread(system, model):
    """Run a learner in a thread, so that the test coverage includes it."""
    stop = Event()
    thread = Thread(target=run_learner, args=(system.settings, model, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(TIMEOUT_SECONDS)


def predict(client, model, rows, **version):
    requests = [client.send(row, key=model, model=model, **version) for row in rows]
    return requests, [client.wait(request, TIMEOUT_SECONDS) for request in requests]


def send_labels(client, requests, labels):
    for number, (request, label) in enumerate(zip(requests, labels, strict=True)):
        client.label(request, label, event_time=1_700_000_000_000 + number)


def wait_until_learned(system, model, count):
    """Wait for a version that has learned `count` rows, and return its card."""
    with system.registry() as registry, registry.subscribe() as changes:
        while (card := registry.newest(model)).metrics.get("learned", 0) < count:
            assert changes.wait(TIMEOUT_SECONDS), "the learner publishes"
        return card


def wait_until_joined(system, model, count):
    deadline = monotonic() + TIMEOUT_SECONDS
    with Reader(system.settings.connection, [system.topics.feedback]) as reader:
        while count > 0:
            assert monotonic() < deadline, f"{count} labels are not joined"
            messages = [decode(Feedback, record.value) for record in reader.poll()]
            count -= sum(one.predictions[0].model == model for one in messages)


def latest_metrics(system, model):
    """Return the latest prequential metrics of a model over all its versions."""
    records = read_to_end(system.settings.connection, [system.topics.metrics])
    messages = [decode(Metrics, record.value) for record in records]
    return [
        m.values for m in messages if (m.kind, m.model, m.version) == ("prequential", model, None)
    ][-1]


def run_learning_loop(system, name):
    """Predict and learn both halves of a case; the second uses a version that learned the first.

    Returns:
        The labels, the predictions of both halves, and the latest metrics.
    """
    case = CASES[name]()
    client, half = system.client(), len(case.rows) // 2
    publish(system, name, case)
    with run_learner_thread(system, name):
        system.wait_until_loaded(client, case.rows[0], name)
        requests, untrained = predict(client, name, case.rows[:half])
        send_labels(client, requests, case.labels[:half])
        card = wait_until_learned(system, name, half)
        system.wait_until_loaded(client, case.rows[half], name, card.version)
        _, (first,) = predict(client, name, case.rows[half : half + 1], version=card.version)
        requests, trained = predict(client, name, case.rows[half:], version=card.version)
        send_labels(client, requests, case.labels[half:])
        wait_until_learned(system, name, len(case.rows))
    assert max(answer.version for answer in untrained) < card.version
    assert first.outputs == trained[0].outputs == predict_without_broker(case, half)
    return case.labels, untrained, trained, latest_metrics(system, name)


def predict_without_broker(case, half):
    """Return the next prediction of a model that learned the first half without a broker."""
    spec, artifact, _ = import_river("m", case.unpacked, case.description)
    card, schema = spec.make_card(1, Artifact(artifact)), spec.input_schema
    runtime = load(Artifact(artifact), card)
    runtime.learn(schema.parse_rows(case.rows[:half]).batch, case.labels[:half])
    return by_name(card, runtime.predict(schema.parse_rows(case.rows[half : half + 1]).batch)[0])


def test_a_multiclass_model_is_accurate_after_learning(stack):
    labels, untrained, trained, metrics = run_learning_loop(stack, "wine")

    assert {answer.outputs["probabilities"]["0"] for answer in untrained} == {1 / 3}
    is_correct = [
        a.outputs["label"] == truth for a, truth in zip(trained, labels[60:], strict=True)
    ]
    assert sum(is_correct) > 50
    assert metrics.keys() >= {"accuracy", "macro_f1", "log_loss"}


def test_a_regression_model_improves_by_learning(stack):
    labels, untrained, trained, metrics = run_learning_loop(stack, "diabetes")

    before = sum(abs(a.outputs["value"] - y) for a, y in zip(untrained, labels[:60], strict=True))
    after = sum(abs(a.outputs["value"] - y) for a, y in zip(trained, labels[60:], strict=True))
    assert after < before / 2
    assert metrics.keys() >= {"mae", "rmse", "r2"}


def test_anomaly_scores_are_evaluated_with_late_labels(stack):
    labels, _, trained, metrics = run_learning_loop(stack, "shuttle")

    anomalous = [a.outputs["score"] for a, y in zip(trained, labels[100:], strict=True) if y]
    normal = [a.outputs["score"] for a, y in zip(trained, labels[100:], strict=True) if not y]
    assert sum(anomalous) / len(anomalous) > sum(normal) / len(normal)
    assert metrics.keys() == {"labelled", "window", "auc"}


def test_a_series_is_forecast_to_the_requested_horizon_and_scored_by_step(stack):
    labels, untrained, trained, metrics = run_learning_loop(stack, "passengers")

    assert (untrained[0].outputs["period"], untrained[59].outputs["period"]) == (24, 83)
    assert len(trained[0].outputs["forecast"]) == 6
    assert metrics.keys() >= {"mae", "smape", *(f"mae_{step}" for step in range(1, 7))}
    assert trained[0].outputs["forecast"][0] == pytest.approx(labels[60], rel=0.15)


def test_retraining_publishes_a_challenger_to_an_untrained_champion(stack, monkeypatch):
    """Send requests and labels, and train; the challenger responds to requests that name it."""
    monkeypatch.setenv("MODSTREAM_TRAIN__FOLDS", "2")
    data, count = load_breast_cancer(), 240
    rows = rows_of(data)[:count]
    client = stack.client()
    requests, answers = predict(client, "cells", rows)
    send_labels(client, requests, data.target[:count].tolist())
    wait_until_joined(stack, "cells", count)

    rejected = stack.run("train", "cells", "--trials", "1", "--threshold", "1.01")
    done = stack.run("train", "cells", "--trials", "2", "--threshold", "0.9", "--json")

    assert (rejected.returncode, done.returncode) == (1, 0), done.stderr + rejected.stdout
    assert "at least 1.01 is required" in rejected.stdout
    report = json.loads(done.stdout)
    assert report["challenger"]["auc"] > 0.95
    assert report["gain"][0] > 0.2
    assert "<svg" in Path(stack.folder / report["report"]).read_text()
    _, by_challenger = predict(client, "cells", rows[-5:], version="challenger")
    _, by_champion = predict(client, "cells", rows[-5:])
    assert {answer.version for answer in by_challenger} == {report["version"]}
    assert [a.outputs for a in by_champion] == [a.outputs for a in answers[-5:]]
    with stack.registry() as registry:
        assert registry.aliases("cells") == {"challenger": report["version"], "champion": 1}
