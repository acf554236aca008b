"""The formats of versions, each built once, and again if the version's card has changed."""

from collections.abc import Callable
from typing import Generic, TypeVar

from modstream.models.schema.card import ModelCard
from modstream.processors.predict.feature_format import FeatureRowFormat, feature_format_for
from modstream.processors.predict.request_formats import FormatName, RequestFormat, format_for

MAX_FORMATS = 256
"""Formats of a kind that are kept, one for each version and what else they depend on."""

Detail = TypeVar("Detail", FormatName, tuple[str, ...])
Format = TypeVar("Format")


Make = Callable[[ModelCard, Detail], Format]


class CardCache(Generic[Detail, Format]):
    """What is made of a card and a detail; the oldest is dropped if there are too many."""

    def __init__(self, make: Make[Detail, Format]) -> None:
        self._make: Make[Detail, Format] = make
        self._known: dict[tuple[str, int, Detail], tuple[ModelCard, Format]] = {}

    def get(self, card: ModelCard, detail: Detail) -> Format:
        """Return what is made of a card and a detail."""
        key = card.name, card.version, detail
        known = self._known.get(key)
        if known is None or known[0] is not card:
            if len(self._known) >= MAX_FORMATS:
                del self._known[next(iter(self._known))]
            known = self._known[key] = card, self._make(card, detail)
        return known[1]


class FormatCache:
    """The formats of versions; None where the fast path does not support one."""

    def __init__(self) -> None:
        self._plain: CardCache[FormatName, RequestFormat | None] = CardCache(format_for)
        self._adding: CardCache[tuple[str, ...], FeatureRowFormat | None] = CardCache(
            feature_format_for
        )

    def plain(self, card: ModelCard, name: FormatName) -> RequestFormat | None:
        """Return a version's format by its name."""
        return self._plain.get(card, name)

    def adding(self, card: ModelCard, needed: tuple[str, ...]) -> FeatureRowFormat | None:
        """Return a version's format of rows to which the stream adds some features."""
        return self._adding.get(card, needed)
