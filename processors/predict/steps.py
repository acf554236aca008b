"""The steps of the request path before and after the prediction: `infer_steps.py` has that."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode_request
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.event_requests import decode_opened, open_events, with_opened
from modstream.broker.wire.records import TOPIC_PARTITION, response_key
from modstream.processors.errors import Refusal
from modstream.processors.predict.deadlines import expired
from modstream.processors.predict.deduplication import Deduplicator, dedup_id
from modstream.processors.predict.fast_path import FastPath
from modstream.processors.predict.responses import ResponseWriter
from modstream.processors.predict.state import BatchState, request_at
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
