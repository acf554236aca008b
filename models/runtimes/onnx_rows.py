"""Rows of features as the inputs of an ONNX session, and the session's outputs for them."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from modstream.models.errors import PredictError, UnreadableArtifact
from modstream.models.runtimes.onnx_session import DTYPES, Feeds, OnnxSession, rank_of
from modstream.models.schema.columns import FeatureColumn
from modstream.models.schema.input_schema import Batch


class RowRunner:
    """Runs a session on batches of rows.

    The session's inputs are one tensor [n, 1] or [n] per feature, by name or in the features'
    order, or a single tensor [n, k]. If the graph has a fixed number of rows n, a batch is run in
    parts of n rows, the last of which is filled up with copies of its last row.
    """

    __slots__ = ("_feed", "_rows", "_session")

    def __init__(self, session: OnnxSession, names: Sequence[str]) -> None:
        """Choose how the features are fed to the inputs.

        Raises:
            UnreadableArtifact: the inputs do not fit the features.
        """
        self._session = session
        self._feed = _select_feed(session, names)
        self._rows = _fixed_rows(session)

    def run(self, outputs: Sequence[str], batch: Batch) -> list[NDArray[Any]]:
        """Return the named outputs for a batch of at least one row.

        Raises:
            PredictError: ONNX Runtime failed, the batch exceeded the session's time limit, or an
                output does not have an entry for each row.
        """
        found = self.run_unchecked(outputs, batch)
        for output in found:
            if not has_rows(output, batch.size):
                raise PredictError("onnx", _no_rows(output, batch.size))
        return found

    def run_unchecked(self, outputs: Sequence[str], batch: Batch) -> list[NDArray[Any]]:
        """Return the named outputs, in any shape, for a batch of at least one row.

        Raises:
            PredictError: ONNX Runtime failed, or the batch exceeded the session's time limit.
        """
        feeds = self._feed(batch)
        if self._rows is None:
            return self._session.run(outputs, feeds, batch.size)
        parts = self._session.run_each(outputs, _parts(feeds, self._rows, batch.size), batch.size)
        return [
            np.concatenate([_as_rows(part[at], self._rows) for part in parts])[: batch.size]
            for at in range(len(outputs))
        ]


def _parts(feeds: Feeds, rows: int, size: int) -> Iterator[Feeds]:
    for start in range(0, size, rows):
        part = {name: tensor[start : start + rows] for name, tensor in feeds.items()}
        missing = start + rows - size
        if missing > 0:
            part = {
                name: np.concatenate([tensor, np.repeat(tensor[-1:], missing, axis=0)])
                for name, tensor in part.items()
            }
        yield part


def _as_rows(output: NDArray[Any], rows: int) -> NDArray[Any]:
    """Return an output of a run with one entry per row; a graph of one row may leave out n."""
    if output.shape[:1] == (rows,):
        return output
    if rows == 1:
        return output.reshape(1, -1)
    raise PredictError("onnx", _no_rows(output, rows))


def has_rows(output: NDArray[Any], rows: int) -> bool:
    """Return whether an output can have one entry for each row, in order."""
    return output.shape[:1] == (rows,) or rows in {output.size, 1}


def _no_rows(output: NDArray[Any], rows: int) -> str:
    return f"an output of shape {[*output.shape]} is not one of {rows} rows"


def _fixed_rows(session: OnnxSession) -> int | None:
    lengths = {
        one.shape[0] for one in session.inputs if rank_of(one) and isinstance(one.shape[0], int)
    }
    if len(lengths) > 1:
        raise UnreadableArtifact("onnx", f"its inputs have {sorted(lengths)} rows")
    return next(iter(lengths), None)


def _select_feed(session: OnnxSession, names: Sequence[str]) -> Callable[[Batch], Feeds]:
    inputs = {declared.name: declared for declared in session.inputs}
    unknown = {declared.type for declared in inputs.values()} - DTYPES.keys()
    if unknown:
        raise UnreadableArtifact("onnx", f"inputs of type {', '.join(unknown)} are not supported")
    if inputs.keys() == set(names):
        return partial(_feed_columns, [(inputs[name], name) for name in names])
    if len(inputs) == 1:
        return partial(_feed_matrix, next(iter(inputs.values())), names)
    if len(inputs) == len(names) and all(map(_is_column, inputs.values())):
        return partial(_feed_columns, list(zip(inputs.values(), names, strict=True)))
    reason = f"its inputs {', '.join(inputs)} do not fit the card's features {', '.join(names)}"
    raise UnreadableArtifact("onnx", reason)


def _is_column(declared: ort.NodeArg) -> bool:
    return rank_of(declared) == 1 or [*declared.shape[1:]] == [1]


def _feed_columns(inputs: Sequence[tuple[ort.NodeArg, str]], batch: Batch) -> Feeds:
    return {
        declared.name: _cast(batch.columns[name], declared).reshape(
            -1 if rank_of(declared) == 1 else (-1, 1)
        )
        for declared, name in inputs
    }


def _feed_matrix(declared: ort.NodeArg, names: Sequence[str], batch: Batch) -> Feeds:
    if batch.matrix is not None:
        return {declared.name: _cast(batch.matrix, declared)}
    columns = [_cast(batch.columns[name], declared) for name in names]
    return {declared.name: np.column_stack(columns)}


def _cast(column: FeatureColumn, declared: ort.NodeArg) -> FeatureColumn:
    """Cast to the input's type; values beyond float32's range become infinite, as in training.

    Raises:
        PredictError: an integer input does not have a value of the column.
    """
    dtype = np.dtype(DTYPES[declared.type])
    with np.errstate(over="ignore", invalid="ignore"):
        found = column.astype(dtype, copy=False)
    if dtype.kind in "iu" and column.dtype != dtype and (found != column).any():
        raise PredictError("onnx", f"input {declared.name} takes {dtype.name} only")
    return found
