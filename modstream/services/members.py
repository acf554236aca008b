"""The members of a family as the registry holds them: one model name, an alias for each member.

A learning member's versions go to the alias `champion` while it serves and to its own while it
does not; each says in its note whose it is. A batch model stands under its own alias, published by
whoever retrains it. The alias `good` points at the last good version.
"""

from collections.abc import Mapping

from modstream.errors import NotALearner
from modstream.models.errors import UnreadableArtifact
from modstream.models.registry.registry import Registry
from modstream.models.runtimes.runtime import LearningRuntime
from modstream.models.schema.card import ModelCard
from modstream.models.serving.loader import fetch
from modstream.processors.learn.learner import Counts, Learner
from modstream.processors.promote.champion_challenger import Family
from modstream.processors.promote.gate import GOOD, Gate
from modstream.processors.promote.losses import COMPARED
from modstream.processors.promote.state_rollback import Still
from modstream.registry.access import newest_that_learns, trust
from modstream.services.relearn import rebuild
from modstream.settings import Settings

ALONE = "learner"
"""The member's name where a model has no family."""
_NOTE = "member "


def note(member: str) -> str:
    """What a member's version says of itself."""
    return f"{_NOTE}{member}"


def resume(settings: Settings, registry: Registry, model: str) -> Family:
    """The family as its members' newest versions left it; without members, the model alone.

    Raises:
        NotALearner: no member can learn.
        NothingReadable: neither a learner's newest version nor any before it can be read.
        ModelError: a member cannot be loaded, or none of its versions is there.
    """
    cards = {member: newest_of(registry, model, member) for member in settings.members or (ALONE,)}
    found = {member: seated(settings, registry, card) for member, card in cards.items()}
    learners = {member: one for member, one in found.items() if isinstance(one, Learner)}
    stills = {member: one for member, one in found.items() if isinstance(one, Still)}
    if not learners:
        card = next(iter(cards.values()))
        raise NotALearner(model, card.version, card.runtime)
    if not settings.members:
        return Family(learners, Gate(ALONE, settings.gate), is_judged=False)
    stills |= good(settings, registry, model)
    champion = reigning(registry, model, found)
    if champion not in learners | stills:
        champion = next(iter(learners))
    rounds = [int(card.metrics.get("round", 0)) for card in cards.values()]
    gate = Gate(champion, settings.gate, max(rounds) + 1)
    is_judged = all(card.task in COMPARED for card in cards.values())
    return Family(learners, gate, stills, is_judged=is_judged)


def seated(settings: Settings, registry: Registry, card: ModelCard) -> Learner | Still:
    """A member as its newest version left it; relearned, if that cannot be read any more."""
    try:
        still = load(settings, registry, card)
    except UnreadableArtifact:
        return rebuild(settings, registry, card)
    if isinstance(still.runtime, LearningRuntime):
        return learner(settings, still.card, still.runtime)
    return still


def good(settings: Settings, registry: Registry, model: str) -> dict[str, Still]:
    """The last good version, if there is one that can be read."""
    if GOOD not in registry.aliases(model):
        return {}
    try:
        return {GOOD: load(settings, registry, registry.card(model, GOOD))}
    except UnreadableArtifact:
        return {}


def newest_of(registry: Registry, model: str, member: str) -> ModelCard:
    """The newest version of a member, whichever alias it went to.

    Raises:
        ModelNotFound: it has none.
    """
    if member == ALONE:
        return newest_that_learns(registry, model) or registry.card(model)
    own = registry.card(model, member)
    champion = registry.card(model)
    return champion if champion.note == note(member) and champion.version > own.version else own


def reigning(registry: Registry, model: str, members: Mapping[str, Learner | Still]) -> str:
    """Which member the champion is; GOOD where the last good version is held."""
    champion, good = registry.card(model), registry.aliases(model).get(GOOD)
    for member, one in members.items():
        if champion.version == one.card.version or (
            champion.note == note(member) and champion.version != good
        ):
            return member
    return GOOD if champion.version == good else next(iter(members))


def batch_models(
    settings: Settings, registry: Registry, model: str, held: dict[str, Still]
) -> dict[str, Still]:
    """The batch members that have been published anew since `held` was loaded.

    Raises:
        ModelError: one cannot be loaded.
    """
    aliases = registry.aliases(model)
    return {
        member: load(settings, registry, registry.card(model, member))
        for member, still in held.items()
        if member != GOOD and aliases.get(member, 0) > still.card.version
    }


def load(settings: Settings, registry: Registry, card: ModelCard) -> Still:
    """A version, ready to answer.

    Raises:
        ModelError: it cannot be loaded.
    """
    return Still(card, fetch(registry, trust(settings), card, settings.shelf.warm_up_rows))


def learner(settings: Settings, card: ModelCard, runtime: LearningRuntime) -> Learner:
    """A learner as this version left it."""
    counts = Counts(learned=int(card.metrics.get("learned", 0)))
    return Learner(card, runtime, settings.topics(), settings.learn, dict(card.offsets), counts)
