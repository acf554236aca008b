"""What an ONNX graph returns for a few rows: the true shapes of its outputs, and their ranges."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modstream.models.errors import (
    MeaningUnknown,
    OptionNotSupported,
    PredictError,
    PredictTimedOut,
    UnreadableArtifact,
)
from modstream.models.importers.onnx.graph import OnnxGraph, attribute, is_operator
from modstream.models.runtimes.onnx_rows import RowRunner, has_rows
from modstream.models.runtimes.onnx_session import DTYPES, OnnxSession
from modstream.models.schema.columns import Scalar, is_nan
from modstream.models.schema.input_schema import Batch, Feature, InputSchema

PROBE_ROWS = 64
FEW_ROWS = 2
"""The rows of a probe, and those of a probe of a slow graph."""
SAMPLE_VALUES = 1000
"""The largest number of values in the sample rows of a card, if they are more than one row."""
_ENCODERS = ("OneHotEncoder", "LabelEncoder", "CategoryMapper")
_SCALES = (1.0, 10.0, 100.0)

Row = Mapping[str, object]


class Probe(NamedTuple):
    """Rows that the graph could predict, and each tensor that it returned for them."""

    rows: list[dict[str, Any]]
    outputs: dict[str, NDArray[Any]]

    def columns(self, output: str) -> NDArray[Any] | None:
        """Return an output in the shape (rows, columns), or None if it was not measured."""
        found = self.outputs.get(output)
        if found is None or not found.size or not has_rows(found, len(self.rows)):
            return None
        return found.reshape(len(self.rows), -1)

    def check_rows(self, outputs: Sequence[str]) -> None:
        """Raise if an output was measured and does not have an entry for each row.

        Raises:
            UnreadableArtifact: one does not.
        """
        for name in outputs:
            found = self.outputs.get(name)
            if found is not None and not has_rows(found, len(self.rows)):
                reason = (
                    f"its output {name!r} has the shape {[*found.shape]} for {len(self.rows)} rows;"
                    " publish it with --task tensors"
                )
                raise UnreadableArtifact("onnx", reason)

    def sample_rows(self) -> tuple[dict[str, Any], ...]:
        """Return a few rows, for a card, that have finite outputs."""
        width = max(1, len(self.rows[0])) if self.rows else 1
        finite = [row for at, row in enumerate(self.rows) if self._is_finite(at)]
        kept = finite[: max(1, min(4, SAMPLE_VALUES // width))]
        return tuple(
            {name: None if is_nan(value) else value for name, value in row.items()} for row in kept
        )

    def _is_finite(self, at: int) -> bool:
        found = (self.columns(output) for output in self.outputs)
        return all(
            one is None or one.dtype.kind != "f" or bool(np.isfinite(one[at]).all())
            for one in found
        )


def probe(
    session: OnnxSession, graph: OnnxGraph, schema: InputSchema, samples: Sequence[Row] | None
) -> Probe:
    """Run a graph on the caller's samples, or on varied rows of its schema.

    Rows that were made up may have no prediction: the probe has only the others. A graph that is
    too slow for all of them is run on two.

    Raises:
        OptionNotSupported: a sample has no prediction.
        MeaningUnknown: no row that was made up has one.
        PredictTimedOut: the graph takes too long.
    """
    rows = list(samples or _made_up_rows(graph, schema))[:PROBE_ROWS]
    parsed = schema.parse_rows(rows)
    if parsed.errors and samples:
        position, error = next(iter(parsed.errors.items()))
        raise OptionNotSupported("--sample", f"row {position + 1}: {error}")
    runner = RowRunner(session, schema.names)
    outputs = [declared.name for declared in session.outputs if declared.type in DTYPES]
    try:
        return _probe_batch(runner, outputs, parsed.batch)
    except PredictTimedOut:
        few = parsed.batch.take(range(min(FEW_ROWS, parsed.batch.size)))
        return _probe_batch(runner, outputs, few)
    except PredictError as error:
        if samples:
            raise OptionNotSupported("--sample", str(error)) from error
    return _probe_each(runner, outputs, parsed.batch)


def _probe_batch(runner: RowRunner, outputs: Sequence[str], batch: Batch) -> Probe:
    found = runner.run_unchecked(outputs, batch)
    return Probe(batch.rows(), dict(zip(outputs, found, strict=True)))


def _probe_each(runner: RowRunner, outputs: Sequence[str], batch: Batch) -> Probe:
    """Run each row alone; return those that have a prediction.

    Raises:
        MeaningUnknown: none has.
        PredictTimedOut: the graph takes too long.
    """
    found: list[Probe] = []
    reason = ""
    for at in range(batch.size):
        try:
            found.append(_probe_batch(runner, outputs, batch.take([at])))
        except PredictTimedOut:
            raise
        except PredictError as error:
            reason = error.reason
    if not found:
        what = f"which rows it can predict ({reason})"
        raise MeaningUnknown(what, "give some with --sample")
    try:
        tensors = {name: np.concatenate([one.outputs[name] for one in found]) for name in outputs}
    except ValueError:  # outputs that are no rows
        tensors = {}
    return Probe([row for one in found for row in one.rows], tensors)


def _made_up_rows(graph: OnnxGraph, schema: InputSchema) -> list[dict[str, Scalar]]:
    rng = np.random.default_rng(0)
    words = _vocabulary(graph)
    return [
        {feature.name: _value(feature, at, rng, words) for feature in schema.features}
        for at in range(PROBE_ROWS)
    ]


def _value(feature: Feature, at: int, rng: np.random.Generator, words: Sequence[str]) -> Scalar:
    if feature.kind == "string":
        return words[int(rng.integers(len(words)))] if words else "a"
    if feature.kind == "bool":
        return bool(rng.integers(2))
    if feature.low is not None and feature.high is not None:
        number = float(rng.uniform(feature.low, feature.high))
    elif feature.kind == "int":
        return int(rng.integers(10))
    else:
        number = float(np.float16(rng.normal(scale=_SCALES[at % len(_SCALES)])))
    return round(number) if feature.kind == "int" else number


def _vocabulary(graph: OnnxGraph) -> list[str]:
    """Return the words that the graph's encoders know."""
    words: dict[str, None] = {}
    for node in graph.model.graph.node:
        if is_operator(node, *_ENCODERS, ml=True):
            for name in ("cats_strings", "keys_strings"):
                words |= dict.fromkeys(attribute(node, name, []))
    return list(words)
