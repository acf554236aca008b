"""Every kind of model goes the whole way: request, answer, label, joined, learned, new version.

One worker, one joiner and one stream serve them all; requests name their model.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from uuid import uuid4

import numpy as np
import pytest
from river import anomaly, datasets, linear_model, naive_bayes, optim, preprocessing, time_series
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.tree import DecisionTreeClassifier

from modstream.broker.client.reader import Reader, read_to_end
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Feedback, Metrics
from modstream.models.importers.files import from_sklearn
from modstream.models.importers.river import Described, from_river
from modstream.models.runtimes.river.artifact import Packed, pack
from modstream.models.runtimes.runtime import load
from modstream.models.schema.input_schema import Feature
from modstream.processors.predict.outputs import by_name
from modstream.services.learner import run_learner
from tests.journeys.conftest import SECONDS, System, open_system, with_route

pytestmark = [pytest.mark.real, pytest.mark.journey]

PASSENGERS = [float(y) for _, y in datasets.AirlinePassengers()]
SERIES = (
    Feature(name="period", kind="int"),
    Feature(name="horizon", kind="int", low=1, high=6),
)


def winters():
    """Two years of passengers, learned: the seasons are known."""
    model = time_series.HoltWinters(
        alpha=0.3, beta=0.1, gamma=0.6, seasonality=12, multiplicative=True
    )
    for value in PASSENGERS[:24]:
        model.learn_one(value)
    return Packed(model, 23)


def scaled(model):
    return Packed(preprocessing.StandardScaler() | model, None)


def floats(names):
    return tuple(Feature(name=name, kind="float") for name in names)


def rows_of(data):
    names = [str(name) for name in data.feature_names]
    return [dict(zip(names, row, strict=True)) for row in data.data.tolist()]


@dataclass(frozen=True)
class Case:
    """A model, and rows with their labels in the order in which they come."""

    packed: Packed
    described: Described
    rows: list
    labels: list


def wine():
    data = load_wine()
    order = [(place * 37) % 178 for place in range(120)]
    return Case(
        scaled(naive_bayes.GaussianNB()),
        Described(floats(data.feature_names), (0, 1, 2)),
        [rows_of(data)[place] for place in order],
        [int(data.target[place]) for place in order],
    )


def diabetes():
    data = load_diabetes()
    model = linear_model.LinearRegression(optimizer=optim.SGD(0.01), intercept_lr=0.3)
    described = Described(floats(data.feature_names))
    return Case(scaled(model), described, rows_of(data)[:120], data.target[:120].tolist())


def shuttle():
    flown = list(islice(datasets.Shuttle(), 200))
    model = preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(window_size=50, seed=42)
    described = Described(floats(sorted(flown[0][0])))
    return Case(Packed(model, None), described, [x for x, _ in flown], [int(y) for _, y in flown])


def passengers():
    rows = [{"period": period, "horizon": 6} for period in range(24, 144)]
    return Case(winters(), Described(SERIES), rows, PASSENGERS[24:])


CASES = {"wine": wine, "diabetes": diabetes, "shuttle": shuttle, "passengers": passengers}


@pytest.fixture(scope="module")
def stack(
    bootstrap: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """A worker and a joiner of one stream, for all tests of this module."""
    with open_system(
        bootstrap, redis_url, f"t{uuid4().hex[:8]}.", tmp_path_factory.mktemp("tasks")
    ) as made:
        system = with_route(made, "cells", stream="tasks")
        system.create_topics()
        publish_champion(system)
        system.start("worker", "worker")
        system.start("joiner", "joiner")
        system.await_worker()
        yield system


def publish_champion(system):
    """A model of cells that knows nothing: its diagnoses were shuffled."""
    data = load_breast_cancer(as_frame=True)
    shuffled = np.random.default_rng(0).permutation(data.target)
    model = DecisionTreeClassifier(max_depth=2, random_state=0).fit(data.data, shuffled)
    with system.registry() as registry:
        registry.publish(*from_sklearn("cells", model))


def publish(system, name, case):
    """From the shell, as a file and what River does not know of it."""
    path = system.folder / f"{name}.river"
    path.write_bytes(pack(*case.packed))
    told = [option for one in case.described.features for option in ("-f", described(one))]
    told += [option for label in case.described.classes for option in ("--class", f"{label}")]
    done = system.run("models", "publish", name, str(path), *told)
    assert done.returncode == 0, done.stderr


def described(feature):
    bounds = "" if feature.high is None else f":{feature.low:g}:{feature.high:g}"
    return f"{feature.name}:{feature.kind}{bounds}"


@contextmanager
def learning(system, model):
    """A learner in a thread, so that it is seen from here."""
    stop = Event()
    thread = Thread(target=run_learner, args=(system.settings, model, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(SECONDS)


def ask(client, model, rows, **version):
    tickets = [client.send(row, key=model, model=model, **version) for row in rows]
    return tickets, [client.wait(ticket, SECONDS) for ticket in tickets]


def tell(client, tickets, labels):
    for number, (ticket, label) in enumerate(zip(tickets, labels, strict=True)):
        client.label(ticket, label, event_time=1_700_000_000_000 + number)


def await_learned(system, model, count):
    """The first version that has learned so many rows."""
    with system.registry() as registry, registry.watch() as hints:
        while (card := registry.newest(model)).metrics.get("learned", 0) < count:
            assert hints.wait(SECONDS), "the learner publishes"
        return card


def await_joined(system, model, count):
    deadline = monotonic() + SECONDS
    with Reader(system.settings.connection, [system.topics.feedback]) as reader:
        while count > 0:
            assert monotonic() < deadline, f"{count} labels are not joined"
            told = [decode(Feedback, record.value) for record in reader.poll()]
            count -= sum(one.predictions[0].model == model for one in told)


def figures(system, model):
    """The latest prequential figures of a model, over all its versions."""
    records = read_to_end(system.settings.connection, [system.topics.metrics])
    told = [decode(Metrics, record.value) for record in records]
    return [m.values for m in told if (m.kind, m.model, m.version) == ("prequential", model, None)][
        -1
    ]


def through_the_loop(system, name):
    """Two halves of a case, the second answered by a version that has learned the first."""
    case = CASES[name]()
    client, half = system.client(), len(case.rows) // 2
    publish(system, name, case)
    with learning(system, name):
        tickets, untaught = ask(client, name, case.rows[:half])
        tell(client, tickets, case.labels[:half])
        card = await_learned(system, name, half)
        _, (first,) = ask(client, name, case.rows[half : half + 1], version=card.version)
        tickets, taught = ask(client, name, case.rows[half:], version=card.version)
        tell(client, tickets, case.labels[half:])
        await_learned(system, name, len(case.rows))
    assert max(answer.version for answer in untaught) < card.version
    assert first.outputs == taught[0].outputs == learned_at_once(case, half)
    return case.labels, untaught, taught, figures(system, name)


def learned_at_once(case, half):
    """What a model says to the next row that learned the same rows without any broker between."""
    draft, artifact = from_river("m", case.packed, case.described)
    card, schema = draft.card(1, artifact), draft.input_schema
    runtime = load(artifact, card)
    runtime.learn(schema.batch(case.rows[:half]).batch, case.labels[:half])
    return by_name(card, runtime.predict(schema.batch(case.rows[half : half + 1]).batch)[0])


def test_three_wines_are_told_apart_once_they_have_been_tasted(stack):
    labels, untaught, taught, found = through_the_loop(stack, "wine")

    assert {answer.outputs["probabilities"]["0"] for answer in untaught} == {1 / 3}
    right = [a.outputs["label"] == truth for a, truth in zip(taught, labels[60:], strict=True)]
    assert sum(right) > 50
    assert found.keys() >= {"accuracy", "macro_f1", "log_loss"}


def test_a_value_is_learned(stack):
    labels, untaught, taught, found = through_the_loop(stack, "diabetes")

    before = sum(abs(a.outputs["value"] - y) for a, y in zip(untaught, labels[:60], strict=True))
    after = sum(abs(a.outputs["value"] - y) for a, y in zip(taught, labels[60:], strict=True))
    assert after < before / 2
    assert found.keys() >= {"mae", "rmse", "r2"}


def test_anomalies_are_scored_and_the_scores_held_against_late_labels(stack):
    labels, _, taught, found = through_the_loop(stack, "shuttle")

    odd = [a.outputs["score"] for a, y in zip(taught, labels[100:], strict=True) if y]
    plain = [a.outputs["score"] for a, y in zip(taught, labels[100:], strict=True) if not y]
    assert sum(odd) / len(odd) > sum(plain) / len(plain)
    assert found.keys() == {"labelled", "window", "auc"}


def test_a_series_is_forecast_as_far_as_was_asked_and_scored_by_step(stack):
    labels, untaught, taught, found = through_the_loop(stack, "passengers")

    assert (untaught[0].outputs["period"], untaught[59].outputs["period"]) == (24, 83)
    assert len(taught[0].outputs["forecast"]) == 6
    assert found.keys() >= {"mae", "smape", *(f"mae_{step}" for step in range(1, 7))}
    assert taught[0].outputs["forecast"][0] == pytest.approx(labels[60], rel=0.15)


def test_a_champion_that_knows_nothing_is_challenged_by_retraining(stack, monkeypatch):
    """Requests, labels, `modstream train`: the challenger answers whoever asks for it."""
    monkeypatch.setenv("MODSTREAM_TRAIN__FOLDS", "2")
    data, count = load_breast_cancer(), 240
    rows = rows_of(data)[:count]
    client = stack.client()
    tickets, answers = ask(client, "cells", rows)
    tell(client, tickets, data.target[:count].tolist())
    await_joined(stack, "cells", count)

    refused = stack.run("train", "cells", "--trials", "1", "--threshold", "1.01")
    done = stack.run("train", "cells", "--trials", "2", "--threshold", "0.9", "--json")

    assert (refused.returncode, done.returncode) == (1, 0), done.stderr + refused.stdout
    assert "asked for is at least 1.01" in refused.stdout
    told = json.loads(done.stdout)
    assert told["challenger"]["auc"] > 0.95
    assert told["gain"][0] > 0.2
    assert "<svg" in Path(stack.folder / told["report"]).read_text()
    _, challenged = ask(client, "cells", rows[-5:], version="challenger")
    _, champion = ask(client, "cells", rows[-5:])
    assert {answer.version for answer in challenged} == {told["version"]}
    assert [a.outputs for a in champion] == [a.outputs for a in answers[-5:]]
    with stack.registry() as registry:
        assert registry.aliases("cells") == {"challenger": told["version"], "champion": 1}
