"""The aliases that learners publish under, and what happens when another writer moves one.

A learner moves an alias only from the version that it last saw there. If an operator has moved the
alias, by a publish, a promotion or a rollback, the learner continues from the version that the
alias points at now. If that version cannot learn, the learner leaves the alias where it is, and
publishes without moving it until the alias points at a version that can.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from modstream.errors import AnotherLearner
from modstream.models.errors import ModelError
from modstream.models.registry.errors import (
    ModelNotFound,
    RegistryUnavailable,
    UnreadableCard,
)
from modstream.models.registry.refs import CHAMPION, LAST_GOOD
from modstream.models.registry.registry import Registry
from modstream.models.schema.card import ModelCard
from modstream.processors.learn.atomic_update import AnyLearningRuntime
from modstream.processors.learn.learner import Learner
from modstream.processors.promote.champion_challenger import ChampionChallenger
from modstream.processors.promote.state_rollback import FrozenModel
from modstream.services.candidates import SINGLE, are_comparable, is_version_of

LoadModel = Callable[[ModelCard], FrozenModel]


@dataclass(slots=True)
class AliasFollower:
    """Compares a model's aliases with what its learners have published under them.

    Not thread-safe, except for `problem`.

    Attributes:
        registry: the model registry.
        candidates: the candidates and their gate.
        load_model: loads a version.
        seen: the version last seen under each alias, 0 for none.
        left: why an alias is left where it is, by alias.
    """

    registry: Registry
    candidates: ChampionChallenger
    load_model: LoadModel
    seen: dict[str, int] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    @property
    def problem(self) -> str:
        """The aliases that are left where they are, with the reasons; empty if there are none."""
        return "; ".join(list(self.left.values()))

    def follow(self, champion: str) -> str | None:
        """Look at the aliases, and let learners continue from versions of other writers.

        Args:
            champion: the candidate that is published under the alias `champion`.

        Returns:
            The candidate that serves now, if another writer has moved the alias `champion`, which
            ends the term of the former champion; else None.

        Raises:
            AnotherLearner: a second learner of the same model has read more feedback.
            RegistryUnavailable: the registry does not answer.
        """
        aliases = self.registry.aliases(self._model)
        moved_to: str | None = None
        own = (name for name in self.candidates.learners if name != SINGLE)
        for alias in (CHAMPION, *own):
            version = aliases.get(alias, 0)
            if not version or version == self._last_seen(alias, champion, version):
                self.seen[alias] = version
                continue
            try:
                card = self.registry.card(self._model, version)
            except (ModelNotFound, UnreadableCard) as error:
                self._leave(alias, version, str(error))
                continue
            if alias == CHAMPION:
                moved_to = self._follow_champion(champion, card, aliases)
            else:
                self._follow_version(alias, alias, card)
        return moved_to

    def _last_seen(self, alias: str, champion: str, found: int) -> int:
        """Return the version last seen; at first, that from which the alias's candidate resumed."""
        if alias in self.seen:
            return self.seen[alias]
        if alias == champion:
            return found  # It is published under `champion`, and this alias is at an older version.
        if alias == CHAMPION and champion in self.candidates.frozen and champion != LAST_GOOD:
            return found  # A batch model that was published again meanwhile: `champion` follows.
        card = self._cards().get(champion if alias == CHAMPION else alias)
        return found if card is None else card.version

    def _follow_champion(
        self, champion: str, card: ModelCard, aliases: Mapping[str, int]
    ) -> str | None:
        """Return who serves now; None if it is a version that the learner has published itself."""
        owner = self._owner(card, aliases)
        serving = owner or champion
        is_own = False
        if serving in self.candidates.learners:
            is_own = self._follow_version(CHAMPION, serving, card)
        elif owner is None:
            self._leave(CHAMPION, card.version, "it is none of the candidates")
        elif self._is_older_mean(serving, card):
            self._leave(CHAMPION, card.version, f"it is an earlier version of {serving}")
        else:
            self._attach(CHAMPION, card.version)
        if is_own and serving == self.candidates.gate.champion:
            return None
        self.candidates.appoint(serving)
        return serving

    def _is_older_mean(self, candidate: str, card: ModelCard) -> bool:
        """Return whether a version is an earlier one of a mean, which is made of newer parts."""
        newest = self.candidates.card_of(candidate) if candidate in self.candidates.means else None
        return newest is not None and card.version < newest.version

    def _owner(self, card: ModelCard, aliases: Mapping[str, int]) -> str | None:
        """Return the candidate that a version belongs to, if any."""
        cards = self._cards()
        by_version = [name for name, one in cards.items() if one.version == card.version]
        if by_version:
            return by_version[0]
        for name in cards:
            if aliases.get(name) == card.version or is_version_of(card, name):
                return name
        return None

    def _follow_version(self, alias: str, candidate: str, card: ModelCard) -> bool:
        """Continue from a version, unless the learner's state includes it; return whether so."""
        learner = self.candidates.learners[candidate]
        if self._is_own(alias, candidate, card, learner):
            self._attach(alias, card.version)
            return True
        try:
            model = self.load_model(card)
        except RegistryUnavailable:
            raise
        except ModelError as error:
            self._leave(alias, card.version, str(error))
            return False
        if reason := self._why_not(candidate, model):
            self._leave(alias, card.version, reason)
            return False
        former = learner.card.version
        self.candidates.continue_from(candidate, model)
        self._attach(alias, card.version)
        structlog.get_logger(__name__).warning(
            "the alias was moved, learning continues from its version",
            model=card.name,
            alias=alias,
            version=card.version,
            given_up=former,
        )
        return False

    def _is_own(self, alias: str, candidate: str, card: ModelCard, learner: Learner) -> bool:
        """Return whether a learner goes on with its own state under an alias that was moved.

        It does if the version is its own, and nobody has moved the alias back to it on purpose: its
        publish had no reply, the registry has lost later versions, or the alias was moved to a
        version that it has never pointed at.

        Raises:
            AnotherLearner: the version is by a second learner that has read more feedback.
        """
        if card.version == learner.card.version:
            return True
        moves = self.registry.moves(card.name, alias)
        if not is_version_of(card, candidate) or not moves or moves[-1].new != card.version:
            return False
        if moves[-1].action == "publish":
            if any(offset > learner.offsets.get(at, 0) for at, offset in card.offsets.items()):
                raise AnotherLearner(card.name, card.version)
            return True
        known = {one.new for one in moves[:-1]}
        return card.version not in known and card.version > min(known, default=0)

    def _why_not(self, candidate: str, model: FrozenModel) -> str:
        """Return why a learner cannot continue from a version; empty if it can."""
        if not isinstance(model.runtime, AnyLearningRuntime):
            return f"the runtime {model.card.runtime} cannot learn"
        others = [
            card for name, card in self._cards().items() if name not in {candidate, LAST_GOOD}
        ]
        if self.candidates.is_gated and not are_comparable([model.card, *others]):
            return "its task or its classes are not those of the other candidates"
        return ""

    def _attach(self, alias: str, version: int) -> None:
        self.seen[alias] = version
        self.left.pop(alias, None)

    def _leave(self, alias: str, version: int, reason: str) -> None:
        """Leave an alias where it is; say so once."""
        self.seen[alias] = version
        promote = f"modstream models promote {self._model} VERSION{_option(alias)}"
        sentence = (
            f"the {alias} of {self._model} is version {version}, and no learner can continue from"
            f" it ({reason}): versions are published without moving the {alias} until `{promote}`"
            " moves it to one that can learn"
        )
        if self.left.get(alias) != sentence:
            self.left[alias] = sentence
            structlog.get_logger(__name__).error("alias left alone", reason=sentence)

    @property
    def _model(self) -> str:
        return self.candidates.lead.card.name

    def _cards(self) -> dict[str, ModelCard]:
        """Return the newest card of each candidate, learners first, the last-good version last.

        A mean without a version is left out.
        """
        models: Iterable[tuple[str, Learner | FrozenModel]] = (
            *self.candidates.learners.items(),
            *self.candidates.frozen.items(),
        )
        cards = {name: one.card for name, one in models}
        for name, mean in self.candidates.means.items():
            if mean.published is not None:
                cards[name] = mean.published.card
        if LAST_GOOD in cards:
            cards[LAST_GOOD] = cards.pop(LAST_GOOD)
        return cards


def _option(alias: str) -> str:
    return "" if alias == CHAMPION else f" --alias {alias}"
