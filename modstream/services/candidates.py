"""The candidates of a model in the registry: one model name, and an alias for each candidate.

The versions of a learning candidate, and those of a mean, are published under the alias `champion`
while it serves, else under its own alias. Each version's note names its candidate. A batch model is
published under its own alias by a retrainer or an operator. The alias `last-good` points at the
last-good version.
"""

from collections.abc import Collection, Iterable, Mapping

import structlog

from modstream.errors import RuntimeCannotLearn
from modstream.models.errors import ArtifactError, UnreadableArtifact
from modstream.models.evaluation.version_classes import VersionClasses, VersionLabels
from modstream.models.registry.errors import ArtifactDeleted, ModelNotFound
from modstream.models.registry.refs import CHAMPION, LAST_GOOD
from modstream.models.registry.registry import Registry
from modstream.models.runtimes.mean.artifact import MEAN, check_parts
from modstream.models.schema.card import ModelCard
from modstream.models.serving.loader import load_version
from modstream.processors.learn.atomic_update import AnyLearningRuntime
from modstream.processors.learn.learner import Learner
from modstream.processors.promote.champion_challenger import ChampionChallenger
from modstream.processors.promote.gate import PromotionGate
from modstream.processors.promote.losses import COMPARABLE_TASKS
from modstream.processors.promote.mean_candidate import MeanCandidate
from modstream.processors.promote.state_rollback import FrozenModel
from modstream.registry.access import newest_learning_version
from modstream.registry.card_lookup import card_finder
from modstream.registry.trust import load_trust
from modstream.services.relearn import make_learner, rebuild
from modstream.settings import Settings

SINGLE = "learner"
"""The candidate's name for a model without configured candidates."""
NOTE_PREFIXES = ("candidate ", "member ")
"""Start of a version's note, before the candidate's name; only the first is written."""
LAST_GOOD_ALIASES = (LAST_GOOD, "good")
"""Aliases of the last-good version; only the first is written."""
TEST_NUMBER_METRICS = ("test_number", "round")
"""Names of the gate's test number among a card's metrics; only the first is written."""


def candidate_note(candidate: str) -> str:
    """Return the note of a candidate's versions."""
    return f"{NOTE_PREFIXES[0]}{candidate}"


def is_version_of(card: ModelCard, candidate: str) -> bool:
    """Return whether a version's note names a candidate."""
    return card.note in {f"{prefix}{candidate}" for prefix in NOTE_PREFIXES}


def resume(settings: Settings, registry: Registry, model: str) -> ChampionChallenger:
    """Return the candidates as their newest versions left them.

    Without configured candidates, the model is the only candidate, and no gate compares it.

    Raises:
        RuntimeCannotLearn: if no candidate can learn.
        NoReadableVersion: if neither a learner's newest version nor any before it can be read.
        ModelError: if a candidate has no version or cannot be loaded.
    """
    names = [name for name in settings.candidates or (SINGLE,) if name not in settings.means]
    cards = {name: newest_version(registry, model, name) for name in names}
    versions = VersionClasses(card_finder(registry))
    loaded = {
        name: load_candidate(settings, registry, card, versions) for name, card in cards.items()
    }
    learners = {name: one for name, one in loaded.items() if isinstance(one, Learner)}
    frozen = {name: one for name, one in loaded.items() if isinstance(one, FrozenModel)}
    if not learners:
        card = next(iter(cards.values()))
        raise RuntimeCannotLearn(model, card.version, card.runtime)
    if not settings.candidates:
        return ChampionChallenger(learners, PromotionGate(SINGLE, settings.gate), is_gated=False)
    frozen |= load_last_good(settings, registry, model)
    means = load_means(settings, registry, model, cards)
    versions_of_means = {
        name: one.published for name, one in means.items() if one.published is not None
    }
    unread = means.keys() - versions_of_means.keys()
    champion = current_champion(registry, model, loaded | versions_of_means, unread)
    if champion not in learners | frozen | means:
        champion = next(iter(learners))
    tested = [*cards.values(), *(one.card for one in versions_of_means.values())]
    gate = PromotionGate(champion, settings.gate, max(map(last_test_number, tested)) + 1)
    is_gated = are_comparable(cards.values())
    if not is_gated:
        structlog.get_logger(__name__).warning("candidates are not compared", model=model)
    warn_of_features(next(iter(learners.values())).card, cards)
    return ChampionChallenger(learners, gate, frozen, means, is_gated=is_gated)


def load_means(
    settings: Settings, registry: Registry, model: str, cards: Mapping[str, ModelCard]
) -> dict[str, MeanCandidate]:
    """Return the candidates that are means, each with its newest version if that can be loaded.

    Raises:
        NotConvertible: the newest versions of the parts have no mean.
    """
    means = {}
    for name, mean in settings.means.items():
        check_parts([cards[part] for part in mean.parts])
        published = load_newest_mean(settings, registry, model, name)
        means[name] = MeanCandidate(mean.parts, mean.weight_of_each, published)
    return means


def load_newest_mean(
    settings: Settings, registry: Registry, model: str, name: str
) -> FrozenModel | None:
    """Return a mean's newest version; None if there is none that can be loaded."""
    try:
        card = newest_version(registry, model, name)
        return load_model(settings, registry, card) if card.runtime == MEAN else None
    except (ModelNotFound, ArtifactError, ArtifactDeleted) as error:
        structlog.get_logger(__name__).info("mean is made anew", mean=name, cause=str(error))
        return None


def warn_of_features(lead: ModelCard, cards: Mapping[str, ModelCard]) -> None:
    """Log which candidates are not compared, as the lead's rows lack features that they have."""
    for name, card in cards.items():
        missing = set(card.input_schema.names) - set(lead.input_schema.names)
        if missing:
            structlog.get_logger(__name__).warning(
                "candidate not compared: the lead does not have all of its features",
                candidate=name,
                missing=sorted(missing),
            )


def are_comparable(cards: Iterable[ModelCard]) -> bool:
    """Return whether candidates can be compared: by a loss, on the same labels.

    They must have a task with a loss, probabilities or values, and the same classes in the same
    order.
    """
    first, *others = cards
    classes = VersionLabels.of(first).classes
    return all(
        card.task in COMPARABLE_TASKS and card.output_form == "array" and card.task == first.task
        for card in (first, *others)
    ) and all(VersionLabels.of(card).classes.agrees_with(classes) for card in others)


def last_test_number(card: ModelCard) -> int:
    """Return the number of the gate's last test when a version was published; 0 if unknown."""
    return int(
        next((card.metrics[name] for name in TEST_NUMBER_METRICS if name in card.metrics), 0)
    )


def load_candidate(
    settings: Settings, registry: Registry, card: ModelCard, versions: VersionClasses
) -> Learner | FrozenModel:
    """Return a candidate as its newest version left it; relearn it if that cannot be read."""
    try:
        model = load_model(settings, registry, card)
    except UnreadableArtifact:
        return rebuild(settings, registry, card, versions)
    if isinstance(model.runtime, AnyLearningRuntime):
        return make_learner(settings, model.card, model.runtime, versions)
    return model


def last_good_version(registry: Registry, model: str) -> int | None:
    """Return the version that the last-good alias points at, if any."""
    aliases = registry.aliases(model)
    return next((aliases[alias] for alias in LAST_GOOD_ALIASES if alias in aliases), None)


def load_last_good(settings: Settings, registry: Registry, model: str) -> dict[str, FrozenModel]:
    """Return the last-good version as `LAST_GOOD`; empty if there is none that can be read."""
    version = last_good_version(registry, model)
    if version is None:
        return {}
    try:
        return {LAST_GOOD: load_model(settings, registry, registry.card(model, version))}
    except UnreadableArtifact:
        return {}


def newest_version(registry: Registry, model: str, candidate: str) -> ModelCard:
    """Return a candidate's newest version, under the alias `champion` or under its own.

    Raises:
        ModelNotFound: if the candidate has no version.
    """
    if candidate == SINGLE:
        return newest_learning_version(registry, model) or registry.card(model)
    own = registry.card(model, candidate)
    champion = registry.card(model)
    is_newer = is_version_of(champion, candidate) and champion.version > own.version
    return champion if is_newer else own


def current_champion(
    registry: Registry,
    model: str,
    candidates: Mapping[str, Learner | FrozenModel],
    unread: Collection[str] = (),
) -> str:
    """Return which candidate serves; `LAST_GOOD` if the last-good version serves.

    `unread` are further candidates, whose newest versions cannot be read.
    """
    champion, last_good = registry.card(model), last_good_version(registry, model)
    for name, one in candidates.items():
        if champion.version == one.card.version or (
            is_version_of(champion, name) and champion.version != last_good
        ):
            return name
    if champion.version == last_good:
        return LAST_GOOD
    for name in unread:
        if is_version_of(champion, name):
            return name
    former = (name for name in candidates if was_published_under(registry, champion, name))
    return next(former, next(iter(candidates)))


def was_published_under(registry: Registry, champion: ModelCard, candidate: str) -> bool:
    """Return whether the champion is an earlier version of a batch candidate.

    It is not if an operator has rolled the alias `champion` back to it.
    """
    moves = registry.moves(champion.name, CHAMPION)
    if moves and moves[-1].action == "rollback":
        return False
    return champion.version in {one.new for one in registry.moves(champion.name, candidate)}


def updated_batch_models(
    settings: Settings, registry: Registry, model: str, frozen: Mapping[str, FrozenModel]
) -> dict[str, FrozenModel]:
    """Return the batch models with a newer version than the one in `frozen`, loaded.

    Raises:
        ModelError: if a version cannot be loaded.
    """
    aliases = registry.aliases(model)
    return {
        name: load_model(settings, registry, registry.card(model, name))
        for name, held in frozen.items()
        if name != LAST_GOOD and aliases.get(name, 0) > held.card.version
    }


def load_model(settings: Settings, registry: Registry, card: ModelCard) -> FrozenModel:
    """Return a version, loaded and warmed up.

    Raises:
        ModelError: if the version cannot be loaded.
    """
    rows = settings.model_cache.warm_up_rows
    return FrozenModel(card, load_version(registry, load_trust(settings), card, rows))
