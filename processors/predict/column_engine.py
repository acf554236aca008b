"""The inference engine on columns: valid rows of one version in, outputs and refusals by row out.

A row is answered as the engine answers a request that has only this row. There are no requests, so
that a table costs what its model costs.
"""

from typing import NamedTuple, cast

import numpy as np

from modstream.models.errors import PredictError
from modstream.models.runtimes.runtime import (
    BatchOutputs,
    NamedOutputs,
    Outputs,
    output_shape,
    predict_batch,
)
from modstream.models.schema.input_schema import Batch
from modstream.processors.errors import NoOutput, Refusal, TensorsExpected
from modstream.processors.pipeline.executor_cache import ExecutorCache
from modstream.processors.predict.model_resolver import (
    ModelProvider,
    ModelResolver,
    ServableModel,
    SingleModelProvider,
)


class ColumnAnswers(NamedTuple):
    """The outputs for n rows, and the reasons why rows have none, by their positions.

    The outputs of a row that has a refusal mean nothing.
    """

    outputs: BatchOutputs
    refusals: dict[int, Refusal]


class ColumnEngine:
    """Answers batches of rows by one version; `steps` gives the models of a pipeline's steps."""

    def __init__(self, model: ServableModel, steps: ModelProvider | None = None) -> None:
        card = model.card
        if card.output_form == "tensors":
            raise TensorsExpected(card.name, [tensor.name for tensor in card.input_tensors])
        self._model = model
        self._provider = SingleModelProvider(model, frozenset({card.name}), steps)
        self._pipelines = ExecutorCache()

    def infer(self, batch: Batch) -> ColumnAnswers:
        """Answer the rows of a batch, each on its own."""
        if not batch.size:
            return ColumnAnswers(self._no_outputs(0), {})
        if self._model.card.output_form == "pipeline":
            return self._run_pipeline(batch)
        return self._predict(batch)

    def _run_pipeline(self, batch: Batch) -> ColumnAnswers:
        card = self._model.card
        resolver = ModelResolver(self._provider)
        result = self._pipelines.executor(self._model).run(batch, resolver.resolve)
        refusals = {
            row: failure.refusal(card.name, card.version)
            for row, failure in result.failures.items()
        }
        return ColumnAnswers(result.outputs, refusals)

    def _predict(self, batch: Batch) -> ColumnAnswers:
        """Predict all rows at once; if the runtime fails, bisect down to the rows that fail."""
        card = self._model.card
        try:
            outputs, finite = predict_batch(self._model.runtime, card, batch)
        except PredictError as error:
            if batch.size == 1:
                reason = NoOutput(card.name, card.version, str(error))
                return ColumnAnswers(self._no_outputs(1), {0: reason})
            half = batch.size // 2
            first = self._predict(batch.take(range(half)))
            second = self._predict(batch.take(range(half, batch.size)))
            moved = {half + row: reason for row, reason in second.refusals.items()}
            return ColumnAnswers(_concat(first.outputs, second.outputs), first.refusals | moved)
        if finite.all():
            return ColumnAnswers(outputs, {})
        reason = NoOutput(card.name, card.version, "the output is not finite")
        return ColumnAnswers(outputs, dict.fromkeys(np.flatnonzero(~finite).tolist(), reason))

    def _no_outputs(self, size: int) -> BatchOutputs:
        """Return outputs that mean nothing, for `size` rows."""
        if self._model.card.output_form == "array":
            return np.full(output_shape(self._model.card, size), np.nan)
        return [{} for _ in range(size)]


def _concat(first: BatchOutputs, second: BatchOutputs) -> BatchOutputs:
    if isinstance(first, list):
        return first + cast(NamedOutputs, second)
    return np.concatenate([first, cast(Outputs, second)])
