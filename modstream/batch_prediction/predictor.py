"""The predictor of tables: rows of Arrow in, predictions of Arrow out, by one loaded version."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa

from modstream.batch_prediction.feature_columns import read_features
from modstream.batch_prediction.output_columns import OutputColumns
from modstream.batch_prediction.version_files import VersionFiles
from modstream.models.runtimes.runtime import BatchOutputs
from modstream.models.schema.card import ModelCard
from modstream.processors.predict.column_engine import ColumnEngine

MODEL, VERSION, ERROR = "model", "version", "error"
OWN_COLUMNS = (MODEL, VERSION, ERROR)
"""The columns beside those of the source and the outputs."""
OUTPUT_PREFIX = "output."
"""Precedes the name of an output that is also the name of another column."""


@dataclass(frozen=True)
class TablePredictor:
    """Predicts tables by one version; `kept` are the columns that are copied to its answers."""

    card: ModelCard
    engine: ColumnEngine
    outputs: OutputColumns
    kept: tuple[str, ...] = ()

    @classmethod
    def load(cls, files: VersionFiles, kept: tuple[str, ...] = ()) -> Self:
        """Load a version.

        Raises:
            UntrustedModel: no trusted key has signed a version.
            ArtifactError: a version cannot be loaded.
            TensorsExpected: the model takes tensors.
        """
        model, engine = files.load()
        return cls(model.card, engine, OutputColumns(model), kept)

    def predict(self, rows: Any) -> Any:  # noqa: ANN401 - tables of pyarrow
        """Return the answers to a table or record batch: the same rows, in the same order.

        Columns: the kept ones; the outputs, null for a row that is refused; `model`, `version`, and
        `error`, the code of the error that a worker answers such a row with.
        """
        size: int = rows.num_rows
        features = read_features(self.card.input_schema, rows)
        answers = self.engine.infer(features.batch)
        positions = features.positions
        errors = {row: error.code for row, error in features.errors.items()}
        errors |= {int(positions[at]): one.code for at, one in answers.refusals.items()}
        has_output = np.zeros(size, np.bool_)
        has_output[positions] = True
        has_output[list(errors)] = False
        outputs = _spread(answers.outputs, positions, size)
        codes = _codes(errors, size)
        arrays = [
            *(rows.column(name) for name in self.kept),
            *self.outputs.arrays(outputs, has_output),
            pa.repeat(pa.scalar(self.card.name, pa.string()), size),
            pa.repeat(pa.scalar(self.card.version, pa.int64()), size),
            codes,
        ]
        kinds = {name: rows.schema.field(name).type for name in self.kept}
        return pa.table(arrays, schema=self.schema(kinds))

    def schema(self, kept: dict[str, Any]) -> Any:  # noqa: ANN401 - a schema of pyarrow
        """Return the schema of answers, whose kept columns have these types."""
        taken = {*kept, *OWN_COLUMNS}
        outputs = [
            (f"{OUTPUT_PREFIX}{name}" if name in taken else name, kind)
            for name, kind in self.outputs.types.items()
        ]
        own = [(MODEL, pa.string()), (VERSION, pa.int64()), (ERROR, pa.string())]
        return pa.schema([*kept.items(), *outputs, *own])


def _spread(outputs: BatchOutputs, positions: Any, size: int) -> BatchOutputs:  # noqa: ANN401
    """Return outputs with those of each row at its position among `size` rows."""
    if len(positions) == size and (positions[:-1] < positions[1:]).all():
        return outputs
    if isinstance(outputs, list):
        rows: list[dict[str, Any]] = [{}] * size
        for position, row in zip(positions.tolist(), outputs, strict=True):
            rows[position] = row
        return rows
    spread = np.full((size, *outputs.shape[1:]), np.nan)
    spread[positions] = outputs
    return spread


def _codes(errors: dict[int, str], size: int) -> Any:  # noqa: ANN401 - an array of pyarrow
    if not errors:
        return pa.nulls(size, pa.string())
    codes: list[str | None] = [None] * size
    for row, code in errors.items():
        codes[row] = code
    return pa.array(codes, pa.string())
