"""The steps of the request path that predict: column by column, and with the engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from modstream.broker.loop.ports import ModelCost
from modstream.broker.wire.fast_codec import RequestHead
from modstream.broker.wire.records import response_key
from modstream.processors.errors import Refusal
from modstream.processors.predict.batching import ModelRequest
from modstream.processors.predict.conformal_outputs import with_conformal
from modstream.processors.predict.engine import Inference, InferenceEngine
from modstream.processors.predict.fast_path import FastBatch
from modstream.processors.predict.fast_responses import encode_fast
from modstream.processors.predict.responses import ResponseWriter, is_prediction
from modstream.processors.predict.state import BatchState, request_at
from modstream.processors.predict.stream_features import requests_with_features


@dataclass(frozen=True, slots=True)
class InferFast:
    """Answers the common requests column by column; what fails is left to the engine."""

    writer: ResponseWriter
    record_features: bool = True

    def __call__(self, state: BatchState) -> None:
        """Answer every fast batch, and note what each model cost."""
        for fast in state.fast:
            if fast.positions:
                start = perf_counter()
                done = self._infer(fast, state)
                seconds = perf_counter() - start
                card = fast.model.card
                state.costs.append(ModelCost(card.name, len(done), seconds, card.version))

    def _infer(self, fast: FastBatch, state: BatchState) -> Sequence[int]:
        done, outputs = fast.predict()
        model, ref, number = fast.model.card.name, fast.ref, fast.number
        if outputs is not None and done.positions:
            topic = self.writer.predictions
            records, oversize = encode_fast(
                topic,
                done,
                outputs,
                state.batch,
                self.writer.limits.of(topic),
                record_features=self.record_features,
            )
            if oversize:
                kept = sorted(set(range(len(records))) - set(oversize))
                done, records = done.select(kept), list(map(records.__getitem__, kept))
            state.responses.add(done.positions, number, records)
            state.served[model, ref, number] += done.positions
        if done is not fast:
            missed = fast.excluding(set(done.positions))
            for position in missed.positions:
                head = as_received(state, position)
                asked = ModelRequest(position, request_at(state, position, head), number)
                state.leftover[model, ref].append(asked)
        return done.positions


@dataclass(frozen=True, slots=True)
class Infer:
    """Answers all other requests with the inference engine."""

    writer: ResponseWriter
    engine: InferenceEngine

    def __call__(self, state: BatchState) -> None:
        """Answer every group of requests to one version, and note what each model cost."""
        if not state.requests and not state.leftover:
            return
        records = state.batch.records
        pending = (
            (position, request, response_key(records[position], request.id))
            for position, request in state.requests.items()
        )
        groups = state.leftover
        for pair, requests in self.engine.group(pending, state.resolver).items():
            groups[pair] += requests
        for (model, ref), requests in groups.items():
            start = perf_counter()
            self._answer(state, model, ref, requests)
            seconds, found = perf_counter() - start, state.resolver.resolve(model, ref)
            version = None if isinstance(found, Refusal) else found.card.version
            state.costs.append(ModelCost(model, len(requests), seconds, version))

    def _answer(
        self, state: BatchState, model: str, ref: int | str, requests: Sequence[ModelRequest]
    ) -> None:
        requests, features_at = with_stream_features(state, model, ref, requests)
        for asked, response in self.engine.infer_group(model, ref, requests, state.resolver):
            position, number = asked.position, asked.number
            if isinstance(response, Inference):
                found = with_conformal(response, state.resolver.threshold(response.card))
                found = found._replace(features_at=features_at)
                record = self.writer.prediction(state.batch, position, found)
                if is_prediction(record):
                    state.served[model, ref, number].append(position)
            else:
                record = self.writer.error(
                    state.batch, position, asked.request.id, response.reason, model
                )
            state.responses.add([position], number, [record])


def as_received(state: BatchState, position: int) -> RequestHead:
    """Return the head of a common request as it was received."""
    head = state.heads.heads[position]
    if head is None:
        raise AssertionError(f"the request at {position} is not a common one")
    return head


def with_stream_features(
    state: BatchState, model: str, ref: int | str, requests: Sequence[ModelRequest]
) -> tuple[Sequence[ModelRequest], bytes | None]:
    """Return requests with the features that their version takes from the stream.

    Returns:
        The requests, and the position of the features; None if the version needs none.
    """
    found, features = state.resolver.resolve(model, ref), state.resolver.features
    names = () if isinstance(found, Refusal) else features.needed_by(found.card)
    if not names:
        return requests, None
    added = requests_with_features(features, names, requests, state.batch.records)
    return added, features.position
