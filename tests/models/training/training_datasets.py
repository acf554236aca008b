"""Labelled datasets for the training tests; the label depends on two numbers and a string."""

import random
from collections import Counter

from modstream.models.schema.artifact import Artifact
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.models.training.dataset import LabelledDataset
from modstream.models.training.settings import TrainSettings

SCHEMA = InputSchema(
    features=(
        Feature(name="a", kind="float"),
        Feature(name="b", kind="int"),
        Feature(name="s", kind="string"),
    )
)
NUMBERS = InputSchema(features=SCHEMA.features[:2])
CLASSES = {"binary": (False, True), "multiclass": ("low", "mid", "high")}
QUICK_SETTINGS = TrainSettings(min_rows=100, folds=2, trials=3, bootstrap_samples=30)
"""One trial of each kind of model."""


def ignore_progress(_step, _share):
    """Discard the progress of a training."""


def card_of(task="binary", schema=SCHEMA, name="m"):
    classes = CLASSES.get(task, ())
    spec = VersionSpec(name=name, runtime="river", task=task, classes=classes, input_schema=schema)
    return spec.make_card(1, Artifact(b""))


def label(row, task):
    value = row["a"] + row["b"] / 5 - 1 + (row.get("s") == "p")
    if task == "binary":
        return value > 0
    return value if task != "multiclass" else CLASSES[task][(value > -0.5) + (value > 0.5)]


def make_dataset(size=300, task="binary", schema=SCHEMA, seed=0, **overrides):
    draw = random.Random(seed)
    rows = [
        {"a": draw.gauss(0, 1), "b": draw.randrange(10), "s": draw.choice("pqr")}
        for _ in range(size)
    ]
    rows = [{name: row[name] for name in schema.names} for row in rows]
    fields = {"served": [None] * size, "rejected": Counter(), **overrides}
    labels = [label(row, task) for row in rows]
    return LabelledDataset(card_of(task, schema), schema.parse_rows(rows).batch, labels, **fields)
