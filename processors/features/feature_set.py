"""A stream's features: their definitions, the aggregations they share, and what an event adds."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from typing import NamedTuple

from modstream.processors.features.aggregation import Aggregation
from modstream.processors.features.definition import (
    FeatureDefinition,
    FeatureDefinitions,
    SourceDefinition,
)
from modstream.processors.features.events import (
    MAX_TEXT,
    MAX_TIME_MS,
    REQUESTS,
    Event,
    PartialKey,
    text_of,
)
from modstream.processors.features.partials import Partial

Contribution = tuple[PartialKey, Partial]


class _Emitted(NamedTuple):
    """An aggregation to which events of one source add; `sign` is that of what is overdue.

    Aggregations that differ only in their groups have the same `addition`, a number.
    """

    aggregation: Aggregation
    id: str
    sign: int
    addition: int


class FeatureSet:
    """The features of a stream. `names` are in the order of their definitions."""

    def __init__(self, definitions: FeatureDefinitions) -> None:
        self.definitions: tuple[FeatureDefinition, ...] = definitions.features
        self.sources: Mapping[str, SourceDefinition] = definitions.sources
        self.names = tuple(one.name for one in self.definitions)
        self.aggregations: dict[str, Aggregation] = {}
        for one in self.definitions:
            self._store(Aggregation.of(one))
            if has_shared_prior(one):
                self._store(prior_aggregation(one))
        self._emitted = _by_source(self.aggregations)

    def _store(self, aggregation: Aggregation) -> None:
        self.aggregations.setdefault(aggregation.id, aggregation)

    @cached_property
    def hash(self) -> str:
        """The SHA-256 of the definitions, in hexadecimal digits; their order does not matter."""
        ordered = sorted(self.definitions, key=lambda one: one.name)
        content = [one.model_dump(mode="json") for one in ordered]
        sources = {name: one.model_dump(mode="json") for name, one in self.sources.items()}
        text = json.dumps([content, sources], sort_keys=True, separators=(",", ":"))
        return sha256(text.encode()).hexdigest()

    @cached_property
    def request_fields(self) -> frozenset[str]:
        """The names of the requests' features by which groups are looked up."""
        return frozenset(field for one in self.definitions for field in one.group)

    @cached_property
    def event_sources(self) -> frozenset[str]:
        """The names of the sources that some feature needs."""
        return frozenset(self._emitted)

    def contributions(self, event: Event) -> Iterator[Contribution]:
        """Yield what an event adds: a partial aggregate for each aggregation that it belongs to.

        An event without a value for a field of the group adds nothing to that aggregation, nor
        does one whose value has more than MAX_TEXT characters.
        """
        if abs(event.time) > MAX_TIME_MS:
            return
        added: dict[int, tuple[int, Partial] | None] = {}
        for fields, emitted in self._emitted.get(event.source, ()):
            group = _group_of(event, fields)
            if group is None:
                continue
            for one in emitted:
                if one.addition not in added:
                    added[one.addition] = _addition(event, one.aggregation, one.sign)
                found = added[one.addition]
                if found is not None:
                    yield PartialKey(one.id, group, found[0]), found[1]


def has_shared_prior(one: FeatureDefinition) -> bool:
    """Return whether the prior of a feature is the rate of all groups."""
    return one.aggregate == "rate" and one.prior is None and bool(one.group)


def prior_aggregation(one: FeatureDefinition) -> Aggregation:
    """Return the aggregation of all groups, from which the prior of a rate is read."""
    return Aggregation.of(one.model_copy(update={"group": ()}))


def _by_source(
    aggregations: Mapping[str, Aggregation],
) -> dict[str, list[tuple[tuple[str, ...], list[_Emitted]]]]:
    """Return the aggregations to which events add, by the source and the fields of the group."""
    found: dict[str, dict[tuple[str, ...], list[_Emitted]]] = {}
    additions: dict[tuple[Aggregation, int], int] = {}
    for name, one in aggregations.items():
        signs = {one.source: 0} if one.due is None else {REQUESTS: 1, one.source: -1}
        for source, sign in signs.items():
            groups = found.setdefault(source, {})
            addition = additions.setdefault((replace(one, group=()), sign), len(additions))
            groups.setdefault(one.group, []).append(_Emitted(one, name, sign, addition))
    return {source: list(groups.items()) for source, groups in found.items()}


def _addition(event: Event, aggregation: Aggregation, sign: int) -> tuple[int, Partial] | None:
    """Return the slice and what an event adds to it; None for nothing."""
    if aggregation.where and not aggregation.is_of(event):
        return None
    time: int | None = event.time
    partial: Partial | None = sign
    if sign:
        time = _due_time(aggregation, event)
    else:
        partial = aggregation.partial(event)
    if time is None or partial is None:
        return None
    return time // aggregation.slice_ms, partial


def _group_of(event: Event, fields: tuple[str, ...]) -> tuple[str, ...] | None:
    texts = []
    for name in fields:
        value = event.fields.get(name)
        text = value if type(value) is str else text_of(value)
        if text is None or len(text) > MAX_TEXT:
            return None
        texts.append(text)
    return tuple(texts)


def _due_time(aggregation: Aggregation, event: Event) -> int | None:
    asked = event.time if event.source == REQUESTS else event.request_time
    if asked is None or abs(asked) > MAX_TIME_MS or aggregation.due is None:
        return None
    get: Callable[[str], object] = event.fields.get
    return aggregation.due.time_of(asked, get)
