"""A batch while the steps of the request path work on it."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from modstream.broker.errors import DecodeError
from modstream.broker.loop.ports import HandlerResult, ModelCost
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.event_requests import EventRequest
from modstream.broker.wire.fast_codec import RequestHead
from modstream.broker.wire.record_batch import RecordBatch
from modstream.broker.wire.records import Record
from modstream.broker.wire.request_codec import decode_head
from modstream.processors.predict.batching import ModelRequest
from modstream.processors.predict.fast_path import FastBatch, RequestHeads
from modstream.processors.predict.model_resolver import ModelResolver
from modstream.processors.predict.responses import ResponseBuffer


class AskedModel(NamedTuple):
    """The id of a request, and the model and the version or alias that it asks for.

    All are None where the record is not a valid request; the id may be readable nevertheless.
    """

    id: str | None = None
    model: str | None = None
    version: int | str | None = None


@dataclass(slots=True)
class BatchState:
    """The requests of a polled batch that still wait for a response, and the responses so far.

    Positions are those of the records in the batch. Each pending request is in exactly one of
    `fast` (in one batch for each model it asks), `requests` and `undecodable`. `leftover` holds
    the requests that the fast path could not answer for a model, by model and reference; `served`
    the positions of predictions by model, reference, and the model's number in the route. `undo`
    reverts what steps remember beyond this batch; it is called if a later step fails. `begun` (ms
    since the epoch) and `asked`, what the requests without a head ask for, are noted only if there
    is an inference log. `events` has the requests that are CloudEvents.
    """

    batch: RecordBatch
    resolver: ModelResolver
    responses: ResponseBuffer
    heads: RequestHeads = field(default_factory=lambda: RequestHeads([], [], []))
    fast: list[FastBatch] = field(default_factory=list)
    requests: dict[int, Request] = field(default_factory=dict)
    undecodable: dict[int, DecodeError] = field(default_factory=dict)
    leftover: defaultdict[tuple[str, int | str], list[ModelRequest]] = field(
        default_factory=lambda: defaultdict(list)
    )
    served: defaultdict[tuple[str, int | str, int], list[int]] = field(
        default_factory=lambda: defaultdict(list)
    )
    costs: list[ModelCost] = field(default_factory=list)
    undo: list[Callable[[], None]] = field(default_factory=list)
    begun: int = 0
    asked: dict[int, AskedModel] = field(default_factory=dict)
    events: Mapping[int, EventRequest] = field(default_factory=dict)

    @classmethod
    def begin(cls, records: Sequence[Record], resolver: ModelResolver) -> Self:
        """Return the state of a batch that was just polled; its headers are parsed here, once."""
        return cls(RecordBatch.of(records), resolver, ResponseBuffer(len(records)))

    def ids(self) -> list[str | None]:
        """Return the request id at each position; None where it is not readable."""
        ids: list[str | None] = [None] * len(self.batch.records)
        for fast in self.fast:
            for position, head in zip(fast.positions, fast.heads, strict=True):
                ids[position] = head.id
        for position, request in self.requests.items():
            ids[position] = request.id
        for position, error in self.undecodable.items():
            ids[position] = error.request_id
        return ids

    def drop(self, positions: Collection[int]) -> None:
        """Remove pending requests: they get no response, or have one already."""
        if not positions:
            return
        self.fast = [fast.excluding(positions) for fast in self.fast]
        for position in positions:
            self.requests.pop(position, None)
            self.undecodable.pop(position, None)

    def revert(self) -> None:
        """Revert what the steps remember beyond this batch, the last change first."""
        while self.undo:
            self.undo.pop()()

    def result(self) -> HandlerResult:
        """Return the responses in the order of their requests, and what the models cost."""
        return HandlerResult(self.responses.in_order(), self.costs)


Step = Callable[[BatchState], None]
"""One step of the request path. It works on the pending requests of a batch, in place."""


def request_at(state: BatchState, position: int, head: RequestHead) -> Request:
    """Decode the rest of the request at a position.

    Raises:
        DecodeError: its features or inputs break the contract.
    """
    return decode_head(head, state.heads.tails[position], state.heads.documents[position])
