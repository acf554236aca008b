"""The steps of the request path: decode, deduplicate, refuse, infer, mark versions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

from modstream.broker.errors import DecodeError
from modstream.broker.loop.ports import ModelCost
from modstream.broker.wire.codec import decode_request
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.event_requests import decode_opened, open_events, with_opened
from modstream.broker.wire.fast_codec import RequestHead
from modstream.broker.wire.records import TOPIC_PARTITION, response_key
from modstream.broker.wire.request_codec import decode_head
from modstream.processors.errors import Refusal
from modstream.processors.predict.batching import ModelRequest
from modstream.processors.predict.conformal_outputs import with_conformal
from modstream.processors.predict.deadlines import expired
from modstream.processors.predict.deduplication import Deduplicator, dedup_id
from modstream.processors.predict.engine import Inference, InferenceEngine
from modstream.processors.predict.fast_path import FastBatch, FastPath
from modstream.processors.predict.fast_responses import encode_fast
from modstream.processors.predict.responses import ResponseWriter, is_prediction
from modstream.processors.predict.state import BatchState
from modstream.processors.predict.stream_features import requests_with_features
from modstream.processors.predict.version_markers import VersionMarkers


@dataclass(frozen=True, slots=True)
class Decode:
    """Decodes each request once: common requests in columns, all others one by one."""

    fast_path: FastPath
    max_request_bytes: int

    def __call__(self, state: BatchState) -> None:
        """Fill `fast`, `requests` and `undecodable`."""
        batch = state.batch
        if batch.events:
            state.events = open_events(batch, self.max_request_bytes)
            batch = with_opened(batch, state.events)
        state.heads = self.fast_path.decode_heads(batch)
        state.fast = self.fast_path.decode(state.heads, batch, state.resolver)
        decoded = {position for fast in state.fast for position in fast.positions}
        if len(decoded) == len(state.batch.records):
            return
        for position in range(len(state.batch.records)):
            if position not in decoded:
                try:
                    state.requests[position] = self._decode(state, position)
                except DecodeError as error:
                    state.undecodable[position] = error

    def _decode(self, state: BatchState, position: int) -> Request:
        head = state.heads.heads[position]
        if (event := state.events.get(position)) is not None:
            return decode_opened(event)
        if head is None:
            return decode_request(state.batch.records[position], self.max_request_bytes)
        return request_at(state, position, head)


@dataclass(frozen=True, slots=True)
class Deduplicate:
    """Drops requests that repeat an earlier one: that one has its response already."""

    deduplicator: Deduplicator

    def __call__(self, state: BatchState) -> None:
        """Drop duplicates; a partition that was just assigned is read back from Kafka first."""
        self.deduplicator.backfill(state.batch.first_offsets)
        ids = state.ids()
        for position, event in state.events.items():
            ids[position] = dedup_id(ids[position], event.context)
        state.drop(self.deduplicator.find_duplicates(state.batch.records, ids))


@dataclass(frozen=True, slots=True)
class RefuseUndecodable:
    """Answers records that are not requests."""

    writer: ResponseWriter

    def __call__(self, state: BatchState) -> None:
        """Answer with a typed error, or move the record to the dead letters."""
        for position, error in state.undecodable.items():
            record = self.writer.undecodable(state.batch, position, error)
            state.responses.add([position], 0, [record])
        state.undecodable = {}


@dataclass(frozen=True, slots=True)
class RefuseExpired:
    """Answers requests whose deadline has passed, or is not a time."""

    writer: ResponseWriter
    now: Callable[[], float]
    """Returns seconds since the epoch."""

    def __call__(self, state: BatchState) -> None:
        """Answer with a typed error, without predicting."""
        late = expired(state.batch.headers, int(self.now() * 1000))
        if not late:
            return
        asked: dict[int, Any] = dict(state.requests)
        for fast in state.fast:
            asked.update(zip(fast.positions, fast.heads, strict=True))
        for position, reason in late.items():
            if position in asked:
                request_id, model = asked[position].id, asked[position].model
                record = self.writer.error(state.batch, position, request_id, reason, model)
                state.responses.add([position], 0, [record])
        state.drop(late.keys())


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


@dataclass(frozen=True, slots=True)
class MarkVersions:
    """Adds a version marker after a version's first prediction in a partition."""

    markers: VersionMarkers

    def __call__(self, state: BatchState) -> None:
        """Add markers where a version begins to answer; for most batches there are none."""
        batch = state.batch
        ids: Sequence[str | None] = ()
        for (model, ref, number), positions in state.served.items():
            found = state.resolver.resolve(model, ref)
            if isinstance(found, Refusal) or not positions:
                continue
            if self.markers.is_unchanged(found.card, ref, batch.first_offsets):
                continue
            first = {TOPIC_PARTITION(batch.records[at]): at for at in sorted(positions)[::-1]}
            ids = ids or state.ids()
            firsts = {
                at: (batch.records[at], response_key(batch.records[at], ids[at] or ""))
                for at in first.values()
            }
            for position, marker in self.markers.new_markers(found.card, ref, firsts):
                partition = batch.records[position].partition
                state.undo.append(partial(self.markers.forget, found.card, ref, partition))
                state.responses.add_after(position, number, marker)


def request_at(state: BatchState, position: int, head: RequestHead) -> Request:
    """Decode the rest of the request at a position.

    Raises:
        DecodeError: its features or inputs break the contract.
    """
    return decode_head(head, state.heads.tails[position], state.heads.documents[position])


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
    records = state.batch.records
    timed = [one._replace(timestamp=records[one.position].timestamp) for one in requests]
    return requests_with_features(features, names, timed), features.position
