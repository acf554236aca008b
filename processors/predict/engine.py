"""The inference engine: requests in, predictions or typed rejections out.

The engine knows no protocol: it neither reads nor writes records, and it deduplicates nothing.
Kafka's handler, a backtest and any other entry point call it with the same values.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from modstream.broker.wire.contracts import Request, StepResult, Tensor
from modstream.models.errors import PredictError
from modstream.models.runtimes.runtime import (
    BatchOutputs,
    Outputs,
    Runtime,
    has_output,
    predict_batch,
)
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Batch
from modstream.processors.errors import NoOutput, Refusal
from modstream.processors.pipeline.executor_cache import ExecutorCache
from modstream.processors.pipeline.records import StepRecords
from modstream.processors.predict.batching import ModelRequest, RowRange, assemble, take_ranges
from modstream.processors.predict.model_resolver import (
    FindThresholds,
    ModelProvider,
    ModelResolver,
    ServableModel,
    no_thresholds,
)
from modstream.processors.predict.outputs import as_tensors, by_name, named_tensors
from modstream.processors.predict.settings import InferenceSettings
from modstream.processors.predict.stream_features import FindFeatures, no_features
from modstream.processors.predict.tensor_requests import predict_tensors

ResponseOutputs = dict[str, Any] | tuple[dict[str, Any], ...] | tuple[Tensor, ...]
"""Outputs by name for a row, a tuple of them for several rows, tensors for tensors."""
RecordedFeatures = dict[str, Any] | Sequence[dict[str, Any]]
"""The features of the only row of a request, or of each of its several rows."""


class Inference(NamedTuple):
    """The outputs of one model version for one request.

    `features` are the row by name, or the rows of a request of several, as they were predicted on;
    None where the settings do not record them, and for models other than the primary.
    `features_omitted` is the reason why the rows of this request cannot be recorded. `steps` tells
    of each step of a pipeline. `features_at` is the position of the stream's features that the rows
    have, None if the model needs none.
    """

    request: Request
    card: ModelCard
    outputs: ResponseOutputs
    features: RecordedFeatures | None
    features_omitted: str | None = None
    steps: tuple[StepResult, ...] | None = None
    features_at: bytes | None = None


class Rejection(NamedTuple):
    """The reason why a model gives no prediction for a request."""

    request: Request
    model: str
    reason: Refusal


InferenceResponse = Inference | Rejection
NO_ROWS = "the model takes tensors, not rows of features"
ModelGroups = dict[tuple[str, int | str], list[ModelRequest]]
"""Requests by the model and the version or alias that they ask for."""


class InferenceEngine:
    """Answers requests with the models of a provider."""

    def __init__(
        self,
        models: ModelProvider,
        settings: InferenceSettings,
        thresholds: FindThresholds = no_thresholds,
        features: FindFeatures = no_features,
    ) -> None:
        self._models = models
        self._thresholds = thresholds
        self._features = features
        self._settings = settings
        self._pipelines = ExecutorCache()

    def infer(
        self, requests: Sequence[Request], keys: Sequence[bytes] | None = None
    ) -> list[list[InferenceResponse]]:
        """Answer requests; all of them see the same version of a model.

        Args:
            requests: the requests, of any models and formats.
            keys: the keys that the traffic split goes by; by default the requests' ids.

        Returns:
            For each request the responses of the models that it asks, in the order of the route.
        """
        resolver = self.resolver()
        keys = keys or [request.id.encode() for request in requests]
        numbered = zip(range(len(requests)), requests, keys, strict=True)
        responses: list[dict[int, InferenceResponse]] = [{} for _ in requests]
        for (model, ref), asked in self.group(numbered, resolver).items():
            for one, response in self.infer_group(model, ref, asked, resolver):
                responses[one.position][one.number] = response
        return [[response for _, response in sorted(found.items())] for found in responses]

    def resolver(self) -> ModelResolver:
        """Return a resolver of models for one batch."""
        share = self._settings.challenger_share
        return ModelResolver(self._models, share, self._thresholds(), self._features())

    def group(
        self, requests: Iterable[tuple[int, Request, bytes]], resolver: ModelResolver
    ) -> ModelGroups:
        """Group requests, given with their position and key, by the models that they ask for."""
        groups: defaultdict[tuple[str, int | str], list[ModelRequest]] = defaultdict(list)
        for position, request, key in requests:
            ref = self._settings.ref_for(request.model, request.version, key)
            for number, model in enumerate(self._settings.models_for(request.model)):
                effective = resolver.effective_ref(model, ref)
                groups[model, effective].append(ModelRequest(position, request, number))
        return groups

    def infer_group(
        self, model: str, ref: int | str, requests: Sequence[ModelRequest], resolver: ModelResolver
    ) -> Iterator[tuple[ModelRequest, InferenceResponse]]:
        """Answer requests to one model, in any order, by the version that their batch sees."""
        found = resolver.resolve(model, ref)
        if isinstance(found, Refusal):
            yield from ((asked, Rejection(asked.request, model, found)) for asked in requests)
            return
        if found.card.output_form == "tensors":
            yield from _infer_tensors(found, requests)
            return
        assembled = assemble(found.card.input_schema, requests)
        for asked, reason in assembled.rejected:
            yield asked, Rejection(asked.request, model, reason)
        if assembled.batch is None:
            return
        if found.card.output_form == "pipeline":
            yield from self._run_pipeline(found, assembled.batch, assembled.ranges, resolver)
        else:
            yield from self._predict(found, assembled.batch, assembled.ranges)

    def _predict(
        self, model: ServableModel, batch: Batch, ranges: Sequence[RowRange]
    ) -> Iterator[tuple[ModelRequest, InferenceResponse]]:
        """Predict all ranges at once; if the runtime fails, bisect down to the row that fails."""
        card = model.card
        try:
            outputs, finite = predict_batch(model.runtime, card, batch)
        except PredictError as error:
            if len(ranges) == 1:
                asked = ranges[0].asked
                reason = NoOutput(card.name, card.version, str(error))
                yield asked, Rejection(asked.request, card.name, reason)
                return
            half = len(ranges) // 2
            yield from self._predict(model, *take_ranges(batch, ranges[:half]))
            yield from self._predict(model, *take_ranges(batch, ranges[half:]))
            return
        rows = card.input_schema.raw_rows(batch) if self._settings.record_features else None
        for asked, start, stop in ranges:
            if not finite[start:stop].all():
                reason = NoOutput(card.name, card.version, "the output is not finite")
                yield asked, Rejection(asked.request, card.name, reason)
                continue
            formatted = format_outputs(asked.request, card, outputs[start:stop])
            features, omitted = self._recorded(rows, asked, start, stop)
            yield asked, Inference(asked.request, card, formatted, features, omitted)

    def _run_pipeline(
        self,
        model: ServableModel,
        batch: Batch,
        ranges: Sequence[RowRange],
        resolver: ModelResolver,
    ) -> Iterator[tuple[ModelRequest, InferenceResponse]]:
        """Run a pipeline's steps on all ranges, with the models that their batch sees."""
        card = model.card
        result = self._pipelines.executor(model).run(batch, resolver.resolve)
        records = StepRecords(result)
        rows = card.input_schema.raw_rows(batch) if self._settings.record_features else None
        for asked, start, stop in ranges:
            failure = result.first_failure(start, stop)
            if failure is not None:
                reason = failure.refusal(card.name, card.version)
                yield asked, Rejection(asked.request, card.name, reason)
                continue
            formatted = format_outputs(asked.request, card, result.outputs[start:stop])
            features, omitted = self._recorded(rows, asked, start, stop)
            steps = records.of(start, stop, is_row=isinstance(asked.request.features, dict))
            yield asked, Inference(asked.request, card, formatted, features, omitted, steps)

    def _recorded(
        self, rows: list[dict[str, Any]] | None, asked: ModelRequest, start: int, stop: int
    ) -> tuple[RecordedFeatures | None, str | None]:
        """Return the features to record, or the reason why they are not recorded."""
        limit = self._settings.max_recorded_rows
        if stop - start > limit:
            return None, f"{stop - start} rows; the features of at most {limit} are recorded"
        if rows is None or asked.number != 0:
            return None, None
        return (rows[start] if stop - start == 1 else rows[start:stop]), None


def _infer_tensors(
    model: ServableModel, requests: Sequence[ModelRequest]
) -> Iterator[tuple[ModelRequest, InferenceResponse]]:
    """Answer requests to a model that takes tensors, each on its own."""
    for asked in requests:
        found = predict_tensors(model, asked.request)
        if isinstance(found, Refusal):
            yield asked, Rejection(asked.request, model.card.name, found)
        else:
            yield asked, Inference(asked.request, model.card, found, None, NO_ROWS)


def format_outputs(request: Request, card: ModelCard, outputs: BatchOutputs) -> ResponseOutputs:
    """Return a runtime's outputs, for n rows, in the format of the request."""
    if isinstance(outputs, list):
        if request.inputs is not None:
            return named_tensors(outputs)
        return outputs[0] if isinstance(request.features, dict) else tuple(outputs)
    if request.inputs is not None:
        return as_tensors(card, outputs)
    if isinstance(request.features, dict):
        return by_name(card, outputs[0])
    return tuple(by_name(card, row) for row in outputs)


def predict_finite(model: ServableModel, batch: Batch) -> tuple[Outputs, list[int] | None]:
    """Predict a batch of requests with one row each, by a model with an array of outputs.

    Returns:
        The outputs of the rows that have finite ones and fit the model's types, and the positions
        of those rows; None stands for all rows.

    Raises:
        PredictError: the runtime failed on the batch.
    """
    outputs = cast(Runtime, model.runtime).predict(batch)
    finite = has_output(outputs, model.card.task)
    fitting = model.card.input_schema.rows_in_range(batch)
    if fitting is not None:
        finite &= fitting
    if finite.all():
        return outputs, None
    positions = np.flatnonzero(finite).tolist()
    return outputs[positions], positions
