"""Requests in, answers out: the handler of the request path. No I/O but the shelf's first load."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Self

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import PREDICTION, decode_request
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.dead_letters import dead_letter
from modstream.broker.wire.record_batch import Polled
from modstream.broker.wire.records import HOME, Outgoing, Record
from modstream.broker.wire.topics import Topics
from modstream.processors.errors import Refusal
from modstream.processors.predict.batching import Ask
from modstream.processors.predict.deadlines import all_overdue
from modstream.processors.predict.deduplication import Repeats
from modstream.processors.predict.fast_path import Express, Lot
from modstream.processors.predict.model_resolver import REAL, Hand, PredictSettings, Shelf, Timing
from modstream.processors.predict.responses import Answers, refused
from modstream.processors.predict.slow_path import Ordinary
from modstream.processors.predict.version_markers import Fences

Opened = Request | DecodeError


@dataclass(slots=True)
class Work:
    """A batch while it is answered.

    `asks` are the requests that go the ordinary way, by model and reference; `served` are the
    places of predictions, by model, reference and the model's number among those asked.
    """

    polled: Polled
    hand: Hand
    answers: Answers
    asks: defaultdict[tuple[str, int | str], list[Ask]]
    served: defaultdict[tuple[str, int | str, int], list[int]]

    @classmethod
    def on(cls, batch: Sequence[Record], hand: Hand) -> Self:
        """Begin with a batch."""
        answers = Answers(len(batch))
        return cls(Polled.of(batch), hand, answers, defaultdict(list), defaultdict(list))


class Predict:
    """Decode each, group by model, get from the shelf, predict the batch, encode each.

    Every record leaves through one door: it comes back as a prediction of each model it asks,
    as a typed error answer, or as a dead letter. Answers keep the order of their records. With
    `repeats`, a record whose id was just answered is passed over: its answer stands already. With
    `fences`, a version's first answer in a partition is followed by a fence that says so.
    `timing` knows the time for deadlines, and is told what each model takes.

    The usual requests are read and answered by columns (`express.py`), all others one by one.
    """

    def __init__(
        self,
        topics: Topics,
        shelf: Shelf,
        settings: PredictSettings,
        repeats: Repeats | None = None,
        *,
        fences: Fences | None = None,
        timing: Timing = REAL,
    ) -> None:
        self._topics = topics
        self._shelf = shelf
        self._settings = settings
        self._repeats = repeats
        self._fences = fences
        self._timing = timing
        self._express = Express(topics, settings)
        self._ordinary = Ordinary(topics, settings)

    def __call__(self, batch: Sequence[Record]) -> list[Outgoing]:
        """Answer one polled batch."""
        work = Work.on(batch, Hand(self._shelf, self._settings.challenger_share))
        late = all_overdue(work.polled.marks, int(self._timing.now() * 1000))
        lots = self._express.read(work.polled, work.hand, late)
        others = self._open(batch, lots)
        again = self._repeated(work.polled, lots, others)
        for lot in lots:
            self._hurry(lot.without(again), work)
        for place, opened in others.items():
            if place not in again:
                self._sort(place, opened, late.get(place), work)
        self._answer(work)
        self._fence(work)
        return work.answers.in_order()

    def _open(self, batch: Sequence[Record], lots: Sequence[Lot]) -> dict[int, Opened]:
        """The requests that are in no lot, or why there is none, by place."""
        usual = {place for lot in lots for place in lot.places}
        if len(usual) == len(batch):
            return {}
        return {
            place: self._decoded(record) for place, record in enumerate(batch) if place not in usual
        }

    def _decoded(self, record: Record) -> Opened:
        try:
            return decode_request(record, self._settings.largest)
        except DecodeError as error:
            return error

    def _repeated(
        self,
        polled: Polled,
        lots: Sequence[Lot],
        others: Mapping[int, Opened],
    ) -> Collection[int]:
        """The places of requests that repeat an earlier one."""
        if self._repeats is None:
            return ()
        ids: list[str | None] = [None] * len(polled.records)
        for lot in lots:
            for place, head in zip(lot.places, lot.heads, strict=True):
                ids[place] = head.id
        for place, opened in others.items():
            ids[place] = opened.id if isinstance(opened, Request) else opened.request_id
        self._repeats.prepare(polled.firsts)
        return self._repeats.admit(polled.records, ids)

    def _hurry(self, lot: Lot, work: Work) -> None:
        """Answer a lot by columns; what does not come out well goes the ordinary way."""
        if not lot.places:
            return
        model, ref = lot.loaded.card.name, lot.ref
        began = perf_counter()
        done, found = self._express.answer(lot, work.polled)
        self._timing.took(model, len(done.places), perf_counter() - began)
        work.answers.put(done.places, lot.number, found)
        work.served[model, ref, lot.number] += done.places
        for place in lot.without(set(done.places)).places if done is not lot else ():
            record = work.polled.records[place]
            work.asks[model, ref].append(Ask(place, record, decode_request(record), lot.number))

    def _sort(self, place: int, opened: Opened, late: Refusal | None, work: Work) -> None:
        """Refuse a request at once, or note what it asks of which model."""
        record, topic = work.polled.records[place], self._topics.predictions
        if isinstance(opened, DecodeError):
            work.answers.put([place], 0, [self._unreadable(record, opened)])
        elif late is not None:
            refusal = refused(topic, record, opened.id, late, opened.model)
            work.answers.put([place], 0, [refusal])
        else:
            share = self._settings.ref_of(record, opened)
            for number, model in enumerate(self._settings.asked(opened.model)):
                ref = work.hand.ref(model, share)
                work.asks[model, ref].append(Ask(place, record, opened, number))

    def _answer(self, work: Work) -> None:
        """Answer the ordinary way what has not been answered yet."""
        for (model, ref), asks in work.asks.items():
            began = perf_counter()
            for ask, answer in self._ordinary.answer(model, work.hand.take(model, ref), asks):
                work.answers.put([ask.place], ask.number, [answer])
                if answer.headers[0][1] == PREDICTION:
                    work.served[model, ref, ask.number].append(ask.place)
            self._timing.took(model, len(asks), perf_counter() - began)

    def _fence(self, work: Work) -> None:
        """Tell where versions begin to answer: only first answers in a partition can be there."""
        if self._fences is None:
            return
        for (model, ref, number), places in work.served.items():
            loaded, batch = work.hand.take(model, ref), work.polled.records
            if isinstance(loaded, Refusal):
                continue
            if self._fences.is_settled(loaded.card, ref, work.polled.firsts):
                continue
            first = {HOME(batch[place]): place for place in sorted(places, reverse=True)}
            firsts = {place: batch[place] for place in first.values()}
            for place, fence in self._fences.crossed(loaded.card, ref, firsts):
                work.answers.follow(place, number, fence)

    def _unreadable(self, record: Record, error: DecodeError) -> Outgoing:
        """Tell the sender where its id is legible, else keep the record as a dead letter."""
        if error.request_id is not None:
            return refused(self._topics.predictions, record, error.request_id, error)
        return dead_letter(record, self._topics.dlq, error, "VALUE_CONVERTER")
