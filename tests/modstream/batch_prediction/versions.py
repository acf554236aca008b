"""Versions of small models, and tables of their rows."""

from datetime import UTC, datetime

import numpy as np

from modstream.batch_prediction.output_columns import OutputColumns
from modstream.batch_prediction.predictor import TablePredictor
from modstream.models.errors import PredictError
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.serving.loaded_models import LoadedModel
from modstream.processors.predict.column_engine import ColumnEngine

SCHEMA = InputSchema(
    features=(
        Feature(name="x", kind="float", missing=True),
        Feature(name="y", kind="float", dtype="float32"),
        Feature(name="n", kind="int"),
        Feature(name="b", kind="bool"),
        Feature(name="s", kind="string"),
        Feature(name="t", kind="string", missing=True),
    )
)
FAILING, WITHOUT_OUTPUT = 13, 14
"""Values of `n` on which the runtime fails, or has no finite output."""


def card_of(task="regression", schema=SCHEMA, **fields):
    return ModelCard(
        name="m",
        version=3,
        runtime=fields.pop("runtime", "any"),
        task=task,
        sha256="0" * 64,
        size=1,
        created=datetime(2013, 1, 1, tzinfo=UTC),
        input_schema=schema,
        **fields,
    )


class Sums:
    """An array runtime whose value depends on every feature."""

    name = "sums"

    def predict(self, batch):
        columns = batch.columns
        if FAILING in columns["n"]:
            raise PredictError(self.name, "unlucky")
        texts = [len(s) + 100 * (-1 if t is None else len(t)) for s, t in zip(
            columns["s"], columns["t"], strict=True)]  # fmt: skip
        values = np.nan_to_num(columns["x"], nan=0.5) + columns["y"] + columns["n"] % 1000
        values = values + columns["b"] + np.array(texts, np.float64)
        return np.where(columns["n"] == WITHOUT_OUTPUT, np.nan, values)


def predictor_of(runtime, card, kept=(), steps=None):
    model = LoadedModel(card, runtime)
    return TablePredictor(card, ColumnEngine(model, steps), OutputColumns(model), kept)
