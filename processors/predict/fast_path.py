"""The express lane: the usual requests of a batch, answered column by column.

What it answers, the ordinary way through pydantic and `assemble` would answer alike. To that way
it leaves whatever is not usual or does not come out well: by itself it refuses nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import repeat
from types import MappingProxyType
from typing import Any

import numpy as np
from pydantic import ValidationError

from modstream.broker.errors import NotJson
from modstream.broker.wire.codec import PREDICTION
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.fast_codec import (
    ABSENT,
    Head,
    Heads,
    joined,
    json_document,
    json_numbers,
    json_texts,
)
from modstream.broker.wire.record_batch import PASSED, Polled
from modstream.broker.wire.records import HOME, OFFSET, Headers, Outgoing, Record, outgoing_of
from modstream.broker.wire.tensor_binary import cut
from modstream.broker.wire.topics import Header, Topics
from modstream.models.errors import PredictError
from modstream.models.runtimes.runtime import Outputs, answered
from modstream.models.schema.card import ModelCard
from modstream.processors.errors import Refusal
from modstream.processors.predict.batching import key_of
from modstream.processors.predict.model_resolver import Hand, Loaded, PredictSettings
from modstream.processors.predict.outputs import Parts
from modstream.processors.predict.request_formats import Form, Kind, form_of

MOST_FORMS = 256
"""Forms that are kept, one for each model version and kind of request."""

Found = tuple[str | None, int | str, bool, bool, bool]
"""What the requests of one lot share: model, reference, and which parts of KINDS they lack."""

KINDS: Mapping[tuple[bool, bool, bool], Kind] = MappingProxyType(
    {(False, True, True): "row", (True, False, True): "matrix", (True, False, False): "raw"}
)
"""The kind of a request by whether it lacks features, inputs, and raw bytes behind the JSON."""


@dataclass(frozen=True, slots=True)
class Group:
    """Usual requests: their places in the batch, heads and raw bytes run alike."""

    places: list[int]
    heads: list[Head]
    tails: list[bytes | None]

    def picked(self, positions: Sequence[int]) -> "Group":
        """The requests at some ascending positions."""
        if len(positions) == len(self.places):
            return self
        return Group(
            [self.places[at] for at in positions],
            [self.heads[at] for at in positions],
            [self.tails[at] for at in positions],
        )


@dataclass(frozen=True, slots=True)
class Lot:
    """Requests of one form to one model version, and what was read of them.

    `ref` is what the version is called here, `number` is the model's among those that they ask,
    `places` are their records' in the polled batch; places, heads and cells run alike.
    """

    loaded: Loaded
    form: Form
    ref: int | str
    number: int
    places: list[int]
    heads: list[Head]
    cells: list[Any]

    def without(self, places: Collection[int]) -> "Lot":
        """The requests at other places."""
        if not places:
            return self
        return self.picked([at for at, place in enumerate(self.places) if place not in places])

    def picked(self, positions: Sequence[int]) -> "Lot":
        """The requests at some positions."""
        return replace(
            self,
            places=[self.places[at] for at in positions],
            heads=[self.heads[at] for at in positions],
            cells=[self.cells[at] for at in positions],
        )


class Express:
    """Reads the usual requests of a batch and answers them."""

    def __init__(self, topics: Topics, settings: PredictSettings) -> None:
        self._topic = topics.predictions
        self._settings = settings
        self._heads = Heads()
        self._forms: dict[tuple[str, int, Kind], tuple[ModelCard, Form | None]] = {}

    def read(self, polled: Polled, hand: Hand, late: Collection[int]) -> list[Lot]:
        """The usual requests; one that asks several models stands in a lot of each, or in none."""
        documents, tails = split_all(polled, self._settings.largest)
        heads = self._heads.read(documents)
        places = [at for at, head in enumerate(heads) if head is not None and at not in late]
        usual = [head for head in map(heads.__getitem__, places) if head is not None]
        whole = Group(places, usual, list(map(tails.__getitem__, places)))
        groups: defaultdict[Found, list[int]] = defaultdict(list)
        for position, found in enumerate(self._found(whole, polled)):
            groups[found].append(position)
        return [
            lot
            for found, positions in groups.items()
            for lot in self._lots(found, whole.picked(positions), hand)
        ]

    def _found(self, group: Group, polled: Polled) -> Iterator[Found]:
        """What decides of each request to which lots it belongs."""
        heads, refs = group.heads, [head.version for head in group.heads]
        if self._settings.challenger_share:
            records = map(polled.records.__getitem__, group.places)
            refs = list(map(self._settings.ref_of, records, heads))
        return zip(
            [head.model for head in heads],
            refs,
            [head.features is ABSENT for head in heads],
            [head.inputs is ABSENT for head in heads],
            [tail is None for tail in group.tails],
            strict=True,
        )

    def _lots(self, found: Found, group: Group, hand: Hand) -> list[Lot]:
        """A lot for each model that requests ask; none if one of the models is not to be had."""
        model, ref, kind = found[0], found[1], KINDS.get(found[2:])
        if kind is None or not is_valid(model, ref):
            return []
        lots = []
        for number, name in enumerate(self._settings.asked(model)):
            named = hand.ref(name, ref)
            loaded = hand.take(name, named)
            form = None if isinstance(loaded, Refusal) else self._form(loaded.card, kind)
            if isinstance(loaded, Refusal) or form is None:
                return []
            cells = form.read(group.heads, group.tails)
            lots.append(Lot(loaded, form, named, number, group.places, group.heads, cells))
        if all(all(lot.cells) for lot in lots):
            return lots
        rows = zip(*(lot.cells for lot in lots), strict=True)
        whole = [at for at, cells in enumerate(rows) if all(cells)]
        return [lot.picked(whole) for lot in lots] if whole else []

    def _form(self, card: ModelCard, kind: Kind) -> Form | None:
        """How a version reads requests of a kind; made once, and again if the card has changed."""
        key = card.name, card.version, kind
        known = self._forms.get(key)
        if known is None or known[0] is not card:
            if len(self._forms) >= MOST_FORMS:
                del self._forms[next(iter(self._forms))]
            known = self._forms[key] = card, form_of(card, kind)
        return known[1]

    def answer(self, lot: Lot, polled: Polled) -> tuple[Lot, list[Outgoing]]:
        """The requests of a lot that have an answer, and the answers."""
        try:
            scores = lot.loaded.runtime.predict(lot.form.batch(lot.cells))
        except PredictError:
            return lot.picked([]), []
        finite = answered(scores, lot.loaded.card.task)
        if not finite.all():
            good = np.flatnonzero(finite).tolist()
            lot, scores = lot.picked(good), scores[good]
        return lot, self.written(lot, scores, polled) if lot.places else []

    def written(self, lot: Lot, scores: Outputs, polled: Polled) -> list[Outgoing]:
        """The answers to a lot's requests with their finite scores."""
        card = lot.loaded.card
        records = list(map(polled.records.__getitem__, lot.places))
        passed = map(PASSED, map(polled.marks.__getitem__, lot.places))
        ids = [head.id for head in lot.heads]
        values = joined(
            (
                b'{"schema_version":1,"id":"',
                json_texts(ids),
                b'","model":%b,"version":%d,"outputs":' % (json_document(card.name), card.version),
                *lot.form.outputs(scores),
                *self._features(lot),
                *event_times(lot.heads),
                sources(records),
                json_numbers(list(map(OFFSET, records))),
                b"}}",
            )
        )
        shared: Headers = (
            (Header.KIND, PREDICTION),
            (Header.MODEL, f"{card.name}/{card.version}".encode()),
        )
        headers = [(*shared, *more) if more else shared for more in passed]
        keys = list(map(key_of, records, ids))
        fields = zip(repeat(self._topic), keys, values, headers, repeat(None), strict=False)
        return list(map(outgoing_of, fields))

    def _features(self, lot: Lot) -> Parts:
        if lot.number or not self._settings.record_features:
            return ()
        return (b',"features":', *lot.form.features(lot.heads, lot.cells))


def split_all(polled: Polled, largest: int) -> tuple[list[bytes], list[bytes | None]]:
    """The JSON of each record, empty if it cannot be usual, and the raw bytes behind it."""
    documents: list[bytes] = []
    tails: list[bytes | None] = [None] * len(polled.records)
    for place, (record, marks) in enumerate(zip(polled.records, polled.marks, strict=True)):
        value, length = record[4], marks[0]
        if value is None or len(value) > largest:
            value = b""
        elif length is not None:
            try:
                value, tails[place] = cut(value, length)
            except NotJson:
                value = b""
        documents.append(value)
    return documents, tails


@lru_cache(1024)
def is_valid(model: str | None, ref: int | str) -> bool:
    """Whether the contract lets a request name a model and a version so."""
    try:
        request = Request(id="any", features={}, model=model, version=ref)
    except ValidationError:
        return False
    return request.version == ref


def event_times(heads: Sequence[Head]) -> Parts:
    """The event times of requests, of which some, all or none have one."""
    times = [head.event_time for head in heads]
    if times.count(None) == len(times):
        return ()
    return ([b"" if time is None else b',"event_time":%d' % time for time in times],)


def sources(records: Sequence[Record]) -> list[bytes]:
    """Where each record lies, up to its offset."""
    homes = list(map(HOME, records))
    written = {
        home: b',"source":{"topic":%b,"partition":%d,"offset":' % (json_document(home[0]), home[1])
        for home in set(homes)
    }
    return list(map(written.__getitem__, homes))
