"""Requests in, answers out: the handler of the request path. No I/O but the shelf's first load."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from time import time
from typing import Any, Protocol

from broker.codec import ERROR, PREDICTION, decode, encode
from broker.contracts import ErrorAnswer, Prediction, Request, Source
from broker.dead_letters import dead_letter
from broker.errors import DecodeError
from broker.names import PASS_THROUGH, Header, Topics
from broker.records import Headers, Outgoing, Record
from models.card import ModelCard
from models.errors import ModelError, ModelNotFound, PredictError
from models.runtime import Outputs, Runtime, answered
from models.schema import Batch
from processors.assemble import Ask, Share, assemble, key_of
from processors.deadline import overdue
from processors.errors import ModelUnavailable, ModelUnknown, NoAnswer, Refusal
from processors.fences import Fences
from processors.outputs import as_tensors, by_name
from processors.repeats import Repeats


class Loaded(Protocol):
    """A model version ready to answer."""

    @property
    def card(self) -> ModelCard:
        """What is known about it."""

    @property
    def runtime(self) -> Runtime:
        """What answers."""


class Shelf(Protocol):
    """Where loaded models stand."""

    def get(self, name: str, ref: int | str = "champion") -> Loaded:
        """The version that `ref` means now."""


@dataclass(frozen=True, slots=True)
class PredictSettings:
    """How a stream is answered.

    `route` are the models that answer a request that names none, the first is the primary;
    `largest` is the most bytes of a request; `record_features` keeps a single row's features
    with the primary's answer, for the learner.
    """

    route: tuple[str, ...]
    largest: int = 1024 * 1024
    record_features: bool = True


class Predict:
    """Decode each, group by model, get from the shelf, predict the batch, encode each.

    Every record leaves through one door: it comes back as a prediction of each model it asks,
    as a typed error answer, or as a dead letter. Answers keep the order of their records. With
    `repeats`, a record whose id was just answered is passed over: its answer stands already. With
    `fences`, a version's first answer in a partition is followed by a fence that says so.
    `clock` tells seconds since the epoch, for deadlines.
    """

    def __init__(
        self,
        topics: Topics,
        shelf: Shelf,
        settings: PredictSettings,
        repeats: Repeats | None = None,
        clock: Callable[[], float] = time,
        *,
        fences: Fences | None = None,
    ) -> None:
        self._topics = topics
        self._shelf = shelf
        self._settings = settings
        self._repeats = repeats
        self._clock = clock
        self._fences = fences

    def __call__(self, batch: Sequence[Record]) -> list[Outgoing]:
        """Answer one polled batch."""
        answers: list[list[Outgoing]] = [[] for _ in batch]
        groups: dict[tuple[str, int | str], list[Ask]] = {}
        now_ms = int(self._clock() * 1000)
        if self._repeats is not None:
            self._repeats.prepare(batch)
        for place, record in enumerate(batch):
            opened = self._open(record, now_ms)
            if isinstance(opened, Request):
                for number, model in enumerate(self._asked(opened)):
                    ask = Ask(place, record, opened, primary=number == 0)
                    groups.setdefault((model, opened.version), []).append(ask)
            elif opened is not None:
                answers[place].append(opened)
        for (model, ref), asks in groups.items():
            for ask, outgoing in self._answer(model, ref, asks):
                answers[ask.place].append(outgoing)
        return list(chain.from_iterable(answers))

    def _open(self, record: Record, now_ms: int) -> Request | Outgoing | None:
        """A record's request; or what it comes to at once, which for a repeat is nothing."""
        try:
            request = decode(Request, record.value, self._settings.largest)
        except DecodeError as error:
            return (
                self._unreadable(record, error) if self._is_new(record, error.request_id) else None
            )
        if not self._is_new(record, request.id):
            return None
        refusal = overdue(record, now_ms)
        if refusal is None:
            return request
        return self._error(record, request.id, request.model, refusal.code, str(refusal))

    def _is_new(self, record: Record, request_id: str | None) -> bool:
        return (
            self._repeats is None or request_id is None or self._repeats.admit(record, request_id)
        )

    def _asked(self, request: Request) -> tuple[str, ...]:
        return self._settings.route if request.model is None else (request.model,)

    def _unreadable(self, record: Record, error: DecodeError) -> Outgoing:
        """Tell the sender where its id is legible, else keep the record as a dead letter."""
        if error.request_id is not None:
            return self._error(record, error.request_id, None, error.code, str(error))
        return dead_letter(record, self._topics.dlq, error, "VALUE_CONVERTER")

    def _answer(
        self, model: str, ref: int | str, asks: Sequence[Ask]
    ) -> Iterator[tuple[Ask, Outgoing]]:
        try:
            loaded = self._shelf.get(model, ref)
        except ModelNotFound:
            yield from self._refuse(model, ((ask, ModelUnknown(model, ref)) for ask in asks))
            return
        except ModelError as error:
            away = ModelUnavailable(model, str(error))
            yield from self._refuse(model, ((ask, away) for ask in asks))
            return
        assembled = assemble(loaded.card.input_schema, asks)
        yield from self._refuse(model, assembled.refused)
        if assembled.batch is not None:
            yield from self._predict(loaded, assembled.batch, assembled.shares)

    def _predict(
        self, loaded: Loaded, batch: Batch, shares: Sequence[Share]
    ) -> Iterator[tuple[Ask, Outgoing]]:
        """Predict all shares at once; when the runtime fails, halve until the bad one is alone."""
        card = loaded.card
        try:
            scores = loaded.runtime.predict(batch)
        except PredictError as error:
            if len(shares) == 1:
                refusal = NoAnswer(card.name, card.version, str(error))
                yield from self._refuse(card.name, [(shares[0].ask, refusal)])
                return
            half = len(shares) // 2
            yield from self._predict(loaded, *part(batch, shares[:half]))
            yield from self._predict(loaded, *part(batch, shares[half:]))
            return
        finite = answered(scores, card.task)
        rows = batch.rows() if self._settings.record_features else None
        tail = f"{card.name}/{card.version}".encode()
        for share in shares:
            ask, start, stop = share
            if finite[start:stop].all():
                features = rows[start] if rows and ask.primary and stop - start == 1 else None
                yield ask, self._prediction(ask, card, scores[start:stop], features, tail)
            else:
                refusal = NoAnswer(card.name, card.version, "the output is not finite")
                yield from self._refuse(card.name, [(ask, refusal)])
        if self._fences is not None:
            good = shares if finite.all() else [s for s in shares if finite[s.start : s.stop].all()]
            yield from self._fences.crossed(card, [share.ask for share in good])

    def _prediction(
        self,
        ask: Ask,
        card: ModelCard,
        scores: Outputs,
        features: dict[str, Any] | None,
        tail: bytes,
    ) -> Outgoing:
        record, request = ask.record, ask.request
        outputs: Any
        if request.inputs is not None:
            outputs = as_tensors(card, scores)
        elif isinstance(request.features, dict):
            outputs = by_name(card, scores[0])
        else:
            outputs = tuple(by_name(card, score) for score in scores)
        answer = Prediction(
            id=request.id,
            model=card.name,
            version=card.version,
            outputs=outputs,
            features=features,
            event_time=request.event_time,
            source=Source(topic=record.topic, partition=record.partition, offset=record.offset),
        )
        headers = ((Header.KIND, PREDICTION), (Header.MODEL, tail), *passed_through(record))
        return Outgoing(
            self._topics.predictions, key_of(record, request.id), encode(answer), headers
        )

    def _refuse(
        self, model: str, refused: Iterable[tuple[Ask, Refusal]]
    ) -> Iterator[tuple[Ask, Outgoing]]:
        for ask, refusal in refused:
            record = ask.record
            yield ask, self._error(record, ask.request.id, model, refusal.code, str(refusal))

    def _error(
        self, record: Record, request_id: str, model: str | None, code: str, message: str
    ) -> Outgoing:
        answer = ErrorAnswer(
            id=request_id,
            code=code,
            message=message,
            model=model,
            source=Source(topic=record.topic, partition=record.partition, offset=record.offset),
        )
        headers = ((Header.KIND, ERROR), *passed_through(record))
        return Outgoing(
            self._topics.predictions, key_of(record, request_id), encode(answer), headers
        )


def part(batch: Batch, shares: Sequence[Share]) -> tuple[Batch, list[Share]]:
    """The rows of some shares alone, and the shares moved to them."""
    rows = [row for share in shares for row in range(share.start, share.stop)]
    moved, start = [], 0
    for share in shares:
        stop = start + share.stop - share.start
        moved.append(Share(share.ask, start, stop))
        start = stop
    return batch.take(rows), moved


def passed_through(record: Record) -> Headers:
    """The request's headers that travel on to its answer: tracing, CloudEvents, reply address."""
    return tuple(
        header for header in record.headers if header[0] in PASS_THROUGH or header[0][:3] == "ce_"
    )
