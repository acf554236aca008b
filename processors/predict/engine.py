"""The inference engine: requests in, predictions or typed rejections out.

The engine knows no protocol: it neither reads nor writes records, and it deduplicates nothing.
Kafka's handler, a backtest and any other entry point call it with the same values.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from modstream.broker.wire.contracts import Request, Tensor
from modstream.models.errors import PredictError
from modstream.models.runtimes.runtime import Outputs, has_output
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Batch
from modstream.processors.errors import NoOutput, Refusal
from modstream.processors.predict.batching import ModelRequest, RowRange, assemble, take_ranges
from modstream.processors.predict.model_resolver import (
    ModelProvider,
    ModelResolver,
    ServableModel,
)
from modstream.processors.predict.outputs import as_tensors, by_name
from modstream.processors.predict.settings import InferenceSettings

ResponseOutputs = dict[str, Any] | tuple[dict[str, Any], ...] | tuple[Tensor, ...]
"""Outputs by name for a row, a tuple of them for several rows, tensors for tensors."""


class Inference(NamedTuple):
    """The outputs of one model version for one request.

    `features` are those of a single row by name, as they were predicted on; None where the
    settings do not record them, for several rows, and for models other than the primary.
    """

    request: Request
    card: ModelCard
    outputs: ResponseOutputs
    features: dict[str, Any] | None


class Rejection(NamedTuple):
    """The reason why a model gives no prediction for a request."""

    request: Request
    model: str
    reason: Refusal


InferenceResponse = Inference | Rejection
ModelGroups = dict[tuple[str, int | str], list[ModelRequest]]
"""Requests by the model and the version or alias that they ask for."""


class InferenceEngine:
    """Answers requests with the models of a provider."""

    def __init__(self, models: ModelProvider, settings: InferenceSettings) -> None:
        self._models = models
        self._settings = settings

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
            for one, response in self.infer_group(model, resolver.resolve(model, ref), asked):
                responses[one.position][one.number] = response
        return [[response for _, response in sorted(found.items())] for found in responses]

    def resolver(self) -> ModelResolver:
        """Return a resolver of models for one batch."""
        return ModelResolver(self._models, self._settings.challenger_share)

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
        self, model: str, found: ServableModel | Refusal, requests: Sequence[ModelRequest]
    ) -> Iterator[tuple[ModelRequest, InferenceResponse]]:
        """Answer requests to one model, in any order, by the version that was resolved."""
        if isinstance(found, Refusal):
            yield from ((asked, Rejection(asked.request, model, found)) for asked in requests)
            return
        assembled = assemble(found.card.input_schema, requests)
        for asked, reason in assembled.rejected:
            yield asked, Rejection(asked.request, model, reason)
        if assembled.batch is not None:
            yield from self._predict(found, assembled.batch, assembled.ranges)

    def _predict(
        self, model: ServableModel, batch: Batch, ranges: Sequence[RowRange]
    ) -> Iterator[tuple[ModelRequest, InferenceResponse]]:
        """Predict all ranges at once; if the runtime fails, bisect down to the row that fails."""
        card = model.card
        try:
            outputs = model.runtime.predict(batch)
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
        finite = has_output(outputs, card.task)
        rows = batch.rows() if self._settings.record_features else None
        for asked, start, stop in ranges:
            if not finite[start:stop].all():
                reason = NoOutput(card.name, card.version, "the output is not finite")
                yield asked, Rejection(asked.request, card.name, reason)
                continue
            features = rows[start] if rows and asked.number == 0 and stop - start == 1 else None
            formatted = format_outputs(asked.request, card, outputs[start:stop])
            yield asked, Inference(asked.request, card, formatted, features)


def format_outputs(request: Request, card: ModelCard, outputs: Outputs) -> ResponseOutputs:
    """Return a runtime's outputs, (n,) or (n, k), in the format of the request."""
    if request.inputs is not None:
        return as_tensors(card, outputs)
    if isinstance(request.features, dict):
        return by_name(card, outputs[0])
    return tuple(by_name(card, row) for row in outputs)


def predict_finite(model: ServableModel, batch: Batch) -> tuple[Outputs, list[int] | None]:
    """Predict a batch of requests with one row each.

    Returns:
        The outputs of the rows that have finite ones, and the positions of those rows; None
        stands for all rows.

    Raises:
        PredictError: the runtime failed on the batch.
    """
    outputs = model.runtime.predict(batch)
    finite = has_output(outputs, model.card.task)
    if finite.all():
        return outputs, None
    positions = np.flatnonzero(finite).tolist()
    return outputs[positions], positions
