"""The facts of the registry that the dashboard shows, without artifacts and whole cards."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from modstream.dashboard.quality import finite
from modstream.dashboard.texts import cut
from modstream.models.errors import ModelError
from modstream.models.registry.errors import RegistryUnavailable
from modstream.models.registry.refs import CHAMPION, CHECKPOINT, LAST_GOOD, NEXT_LAST_GOOD
from modstream.models.registry.registry import Registry
from modstream.models.schema.card import ModelCard

MAX_MODELS = 200
"""Number of models that are read, those of the route first, then by name."""
MAX_FEATURES = 100
"""Number of features of a version that are named."""
KEPT_ALIASES = frozenset({CHECKPOINT, LAST_GOOD, NEXT_LAST_GOOD})
"""Aliases of earlier champions, which only keep them."""
MAX_CACHED = 2000
"""Number of versions whose facts are remembered: they never change."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model in the registry: its aliases, its highest version, and the champion's task."""

    aliases: Mapping[str, int] = field(default_factory=dict)
    highest: int = 0
    task: str = ""

    @property
    def champion(self) -> int | None:
        """The version under the alias of the champion."""
        return self.aliases.get(CHAMPION)

    @property
    def challengers(self) -> tuple[int, ...]:
        """The versions under aliases that the champion may be compared with, highest first."""
        others = {version for alias, version in self.aliases.items() if alias not in KEPT_ALIASES}
        return tuple(sorted(others - {self.champion}, reverse=True))


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What is shown of a card; see `VersionView`."""

    published_at: int
    parent: int | None
    source: str
    runtime: str
    task: str
    features: tuple[str, ...]
    feature_count: int
    size: int
    sha256: str
    is_signed: bool
    rows_learned: int
    metrics: Mapping[str, float]

    @classmethod
    def of(cls, card: ModelCard) -> "CardFacts":
        """Return the facts of a card."""
        names = [
            *(feature.name for feature in card.input_schema.features),
            *(tensor.name for tensor in card.input_tensors),
        ]
        metrics = finite(card.metrics)
        return cls(
            published_at=int(card.created.timestamp() * 1000),
            parent=card.parent,
            source=cut(card.note, 500),
            runtime=cut(card.runtime),
            task=card.task,
            features=tuple(cut(name) for name in names[:MAX_FEATURES]),
            feature_count=len(names),
            size=card.size,
            sha256=card.sha256,
            is_signed=card.signature is not None,
            rows_learned=int(metrics.get("learned", 0)),
            metrics=metrics,
        )


class RegistryFacts:
    """Reads the registry; safe for several threads."""

    def __init__(self, registry: Registry, route: Sequence[str]) -> None:
        self._registry = registry
        self._route = tuple(route)
        self._cards: OrderedDict[tuple[str, int], CardFacts] = OrderedDict()
        self._lock = Lock()

    def names(self) -> tuple[str, ...]:
        """Return the models, those of the route first, at most `MAX_MODELS`.

        Raises:
            ModelError: the registry does not respond.
        """
        known = self._registry.names()
        first = [name for name in self._route if name in known]
        return tuple(dict.fromkeys((*first, *known)))[:MAX_MODELS]

    def sample(self) -> dict[str, ModelFacts]:
        """Return all models by name.

        Raises:
            ModelError: the registry does not respond.
        """
        return {name: self._model(name) for name in self.names()}

    def cards(
        self, name: str, versions: Iterable[int], *, is_available: bool = True
    ) -> dict[int, CardFacts]:
        """Return the facts of some versions of a model; those without a readable card are left out.

        If the registry does not respond, or is known not to be available, only remembered ones are
        returned.
        """
        found: dict[int, CardFacts] = {}
        for version in versions:
            with self._lock:
                facts = self._cards.get((name, version))
            if facts is None and is_available:
                try:
                    facts = CardFacts.of(self._registry.card(name, version))
                except RegistryUnavailable:
                    is_available = False
                except ModelError:
                    continue
            if facts is not None:
                found[version] = facts
                self._remember((name, version), facts)
        return found

    def _model(self, name: str) -> ModelFacts:
        aliases = {cut(alias): version for alias, version in self._registry.aliases(name).items()}
        newest = self._registry.newest(name)
        shown = aliases.get(CHAMPION) or (newest.version if newest else 0)
        card = self.cards(name, [shown]).get(shown) if shown else None
        highest = max((*aliases.values(), newest.version if newest else 0), default=0)
        return ModelFacts(aliases, highest, card.task if card else "")

    def _remember(self, key: tuple[str, int], facts: CardFacts) -> None:
        with self._lock:
            self._cards[key] = facts
            self._cards.move_to_end(key)
            if len(self._cards) > MAX_CACHED:
                self._cards.popitem(last=False)
