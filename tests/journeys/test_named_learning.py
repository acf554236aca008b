"""Models of labels and clusters learn from a stream, and their next versions answer."""

from dataclasses import dataclass
from typing import Any

import pytest
from river import cluster, linear_model, multiclass, preprocessing

from modstream.models.importers.description import ModelDescription
from modstream.models.runtimes.river.artifact import UnpackedModel
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Feature
from tests.journeys.conftest import with_route
from tests.journeys.test_tasks import (
    predict,
    publish,
    run_learner_thread,
    send_labels,
    wait_until_learned,
)
from tests.zoo.river_models import copy_of

pytestmark = [pytest.mark.real, pytest.mark.journey]

COUNT = 30


def rows_of(name):
    """Return rows of features that no other model has; it would learn them, too."""
    return [{f"{name}_x": float(at % 3), f"{name}_y": at % 5 / 10} for at in range(COUNT)]


@dataclass
class Case:
    """A model, and the label that it learns for each row, as the stream and as River have it."""

    name: str
    model: Any
    labels: list[Scalar]
    own: list[Scalar | None]
    classes: tuple[Scalar, ...] = ()

    @property
    def unpacked(self):
        return UnpackedModel(self.model, None)

    @property
    def description(self):
        features = tuple(Feature(name=name, kind="float") for name in self.rows[0])
        return ModelDescription(features=features, classes=self.classes)

    @property
    def rows(self):
        return rows_of(self.name)


def pairs():
    """Return a classifier without probabilities that has learned a row of each of three classes."""
    classes = ("low", "mid", "top")
    model = preprocessing.StandardScaler() | multiclass.OneVsOneClassifier(
        linear_model.LogisticRegression()
    )
    labels = [classes[at % 3] for at in range(COUNT)]
    for row, label in zip(rows_of("pairs")[:3], classes, strict=True):
        model.learn_one(row, label)
    return Case("pairs", model, labels, labels)


def clusters():
    model = preprocessing.StandardScaler() | cluster.KMeans(3, seed=1)
    return Case("clusters", model, [0] * COUNT, [None] * COUNT)


def ones_and_twos():
    """Return a classifier that knows False and True, for the classes 1 and 2."""
    labels = [1 + at % 2 for at in range(COUNT)]
    own = [label == 2 for label in labels]
    return Case("numbers", linear_model.LogisticRegression(), labels, own, (1, 2))


CASES = {"pairs": pairs, "clusters": clusters, "numbers": ones_and_twos}


@pytest.fixture
def stack(system):
    opened = with_route(system, *CASES, stream="named")
    opened.create_topics()
    for name, make in CASES.items():
        publish(opened, name, make())
    opened.start("worker", "worker")
    opened.start("joiner", "joiner")
    opened.wait_for_worker()
    return opened


def expected(model, row):
    """Return River's own answer."""
    model = copy_of(model)
    if isinstance(model, linear_model.LogisticRegression):
        return {"probability": model.predict_proba_one(row)[True]}
    return {"label": model.predict_one(row)}


def learn(model, row, label):
    if model._supervised:
        model.learn_one(row, label)
    else:
        model.learn_one(row)


def test_models_of_all_forms_learn_from_the_stream(stack):
    client = stack.client()
    for name, make in CASES.items():
        case = make()
        twin = case.model
        with run_learner_thread(stack, name):
            requests, before = predict(client, name, case.rows)
            assert [one.outputs for one in before] == [expected(twin, row) for row in case.rows]
            send_labels(client, requests, case.labels)
            card = wait_until_learned(stack, name, COUNT)
        for row, label in zip(case.rows, case.own, strict=True):
            learn(twin, row, label)
        _, after = predict(client, name, case.rows, version=card.version)

        assert [one.outputs for one in after] == [expected(twin, row) for row in case.rows]
        assert [one.outputs for one in after] != [one.outputs for one in before]
