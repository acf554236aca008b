"""Labelled rows in the order of time for the tests of training: two numbers and a string decide."""

import random
from collections import Counter

from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import Draft
from modstream.models.training.dataset import Labelled
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
QUICK = TrainSettings(fewest=100, folds=2, trials=3, resamples=30)
"""One trial of each kind."""


def silent(_doing, _share):
    """Tell nobody."""


def card_of(task="binary", schema=SCHEMA, name="m"):
    classes = CLASSES.get(task, ())
    draft = Draft(name=name, runtime="river", task=task, classes=classes, input_schema=schema)
    return draft.card(1, b"")


def label(row, task):
    value = row["a"] + row["b"] / 5 - 1 + (row.get("s") == "p")
    if task == "binary":
        return value > 0
    return value if task != "multiclass" else CLASSES[task][(value > -0.5) + (value > 0.5)]


def table(size=300, task="binary", schema=SCHEMA, seed=0, **facts):
    draw = random.Random(seed)
    rows = [
        {"a": draw.gauss(0, 1), "b": draw.randrange(10), "s": draw.choice("pqr")}
        for _ in range(size)
    ]
    rows = [{name: row[name] for name in schema.names} for row in rows]
    told = {"served": [None] * size, "refused": Counter(), **facts}
    labels = [label(row, task) for row in rows]
    return Labelled(card_of(task, schema), schema.batch(rows).batch, labels, **told)
