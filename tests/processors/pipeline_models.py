"""Small models for tests of pipelines: loaded versions whose functions are given."""

from datetime import UTC, datetime

import numpy as np

from modstream.models.errors import PredictError
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.processors.errors import UnknownModel

FAILS_AT, NOT_FINITE_AT, MISSING = 13.0, 7.0, -1.0
"""Inputs at which the models fail, or have no finite output; what `lenient` makes of none."""


class PlainModel:
    """A loaded version that is its own runtime; `function` computes outputs of columns."""

    name = "plain"

    def __init__(self, card, function):
        self.card, self.function = card, function
        self.calls = []

    @property
    def runtime(self):
        return self

    def predict(self, batch):
        self.calls.append(batch.size)
        return self.function(batch.columns)

    def predict_rows(self, batch):
        self.calls.append(batch.size)
        return self.function(batch.columns)

    def snapshot(self):
        return b""


def make_card(name, features=("x",), task="regression", version=1, **fields):
    """Return a card; a feature is a name, or a `Feature`."""
    schema = InputSchema(
        features=tuple(
            one if isinstance(one, Feature) else Feature(name=one, kind="float") for one in features
        )
    )
    defaults = {"runtime": "onnx", "sha256": f"{version:064x}", "size": 1}
    return ModelCard(
        name=name, task=task, version=version, input_schema=schema,
        created=datetime(2026, 1, 1, tzinfo=UTC), **(defaults | fields),
    )  # fmt: skip


def fragile(columns):
    """Return x + 1; fail as a whole if a row is FAILS_AT, and have NaN for NOT_FINITE_AT."""
    x = columns["x"]
    if (x == FAILS_AT).any():
        raise PredictError("fragile", f"{FAILS_AT} fails")
    return np.where(x == NOT_FINITE_AT, np.nan, x + 1)


def make_models():
    """Return the models by name: one that may fail, one that takes missing values, and a sum."""
    lenient = Feature(name="x", kind="float", missing=True)
    found = [
        PlainModel(make_card("fragile"), fragile),
        PlainModel(
            make_card("lenient", [lenient]),
            lambda columns: np.where(np.isnan(columns["x"]), MISSING, columns["x"]),
        ),
        PlainModel(make_card("total", ["x", "y"]), lambda columns: columns["x"] + columns["y"]),
        PlainModel(
            make_card("risk", task="binary"), lambda columns: 1 / (1 + np.exp(-columns["x"]))
        ),
        PlainModel(
            make_card("species", task="multiclass", classes=("setosa", "virginica")),
            lambda columns: np.stack([columns["x"] / 10, 1 - columns["x"] / 10], axis=1),
        ),
        PlainModel(
            make_card("margin", task="binary", scores="margin", classes=("no", "yes")),
            lambda columns: [
                {"label": "yes" if x > 0 else "no", "margin": x} for x in columns["x"].tolist()
            ],
        ),
    ]
    return {model.card.name: model for model in found}


def resolver_of(models):
    """Return a function that resolves models as a batch does."""
    return lambda name, ref: models.get(name) or UnknownModel(name, ref)
