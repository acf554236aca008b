"""The views of models: a line of the list, and a model with its versions. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from modstream.audit.names import OTHERS
from modstream.dashboard.figures import StreamFigures
from modstream.dashboard.quality import main_metric
from modstream.dashboard.registry_facts import CardFacts, ModelFacts
from modstream.dashboard.snapshots import ModelSummary, ModelView, QualityPoint, VersionView
from modstream.models.evaluation.metrics import HIGHER_IS_BETTER
from modstream.models.registry.refs import CHALLENGER, CHAMPION

MAX_VERSIONS = 50
"""Number of versions of a model that are shown."""
MAX_LISTED = 200
"""Number of models that are listed."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a view is made: the time (ms), and the revision of the figures."""

    now: int
    revision: int


def listed_names(
    route: Sequence[str], models: Collection[str], figures: StreamFigures
) -> tuple[str, ...]:
    """Return the models to list: those of the route, then by name; further ones are `others`."""
    answered = {one.name for one in figures.counts.versions()}
    others = sorted({*models, *answered, *figures.quality.names()} - {*route, OTHERS})
    rest = (OTHERS,) if OTHERS in answered else ()
    return (*dict.fromkeys((*route, *others)[: MAX_LISTED - len(rest)]), *rest)


def model_summary(
    name: str, facts: ModelFacts | None, figures: StreamFigures, *, is_in_route: bool, now: int
) -> ModelSummary:
    """Return one line of the list of models."""
    known = facts or ModelFacts()
    newest = figures.quality.newest(name)
    metric = None if newest is None else main_metric(newest.values)
    entries = figures.timelines.entries(name)
    return ModelSummary(
        name=name,
        is_in_route=is_in_route,
        is_in_registry=facts is not None,
        champion=known.champion,
        challengers=known.challengers,
        version_count=known.highest,
        task=known.task,
        answers=figures.counts.answers(name, None, now),
        answers_per_second=figures.counts.rate(name, None, now),
        main_metric=metric,
        value=None if newest is None or metric is None else newest.values[metric],
        band=None if newest is None or metric is None else newest.bands[metric],
        labelled=0 if newest is None else newest.labelled,
        coverage=figures.joiner.model_coverage(name),
        last_change=entries[0] if entries else None,
    )


def shown_versions(name: str, facts: ModelFacts | None, figures: StreamFigures) -> tuple[int, ...]:
    """Return the versions of a model to show, highest first.

    They are those under an alias, those with figures, and the newest ones.
    """
    known = facts or ModelFacts()
    answered = {one.version for one in figures.counts.versions() if one.name == name}
    with_figures = {*answered, *figures.quality.versions(name)} - {0}
    newest = range(known.highest, max(0, known.highest - MAX_VERSIONS), -1)
    wanted = dict.fromkeys((*known.aliases.values(), *sorted(with_figures, reverse=True), *newest))
    return tuple(sorted(list(wanted)[:MAX_VERSIONS], reverse=True))


def model_view(
    name: str,
    facts: ModelFacts | None,
    cards: Mapping[int, CardFacts],
    figures: StreamFigures,
    moment: Moment,
    *,
    is_in_route: bool,
) -> ModelView:
    """Return a model with its versions, timeline and figures.

    `cards` are the facts of the cards of the versions to show; versions without a card and without
    figures, whose numbers are reserved or lost, are left out.
    """
    known = facts or ModelFacts()
    versions = [
        version_view(name, version, known, cards.get(version), figures, moment.now)
        for version in shown_versions(name, facts, figures)
    ]
    quality = figures.quality.series(name, None)
    metric = find_main_metric(quality, versions)
    return ModelView(
        name=name,
        now=moment.now,
        revision=moment.revision,
        versions=tuple(one for one in versions if is_known(one)),
        version_count=known.highest,
        champion=known.champion,
        challengers=known.challengers,
        is_in_route=is_in_route,
        main_metric=metric,
        higher_is_better=metric in HIGHER_IS_BETTER,
        quality=quality,
        timeline=figures.timelines.entries(name),
        drift=figures.quality.drift(name),
        learner=figures.quality.learner(name),
        is_in_registry=facts is not None,
    )


def version_view(
    name: str,
    version: int,
    facts: ModelFacts,
    card: CardFacts | None,
    figures: StreamFigures,
    now: int,
) -> VersionView:
    """Return a version with the facts of its card, if it is readable, and its figures."""
    aliases = tuple(sorted(alias for alias, at in facts.aliases.items() if at == version))
    return VersionView(
        version=version,
        aliases=aliases,
        role=role_of(aliases),
        published_at=card.published_at if card else None,
        parent=card.parent if card else None,
        source=card.source if card else "",
        runtime=card.runtime if card else "",
        task=card.task if card else "",
        features=card.features if card else (),
        feature_count=card.feature_count if card else 0,
        size=card.size if card else None,
        sha256=card.sha256 if card else "",
        is_signed=bool(card and card.is_signed),
        rows_learned=card.rows_learned if card else 0,
        card_metrics=card.metrics if card else {},
        answers=figures.counts.answers(name, version, now),
        answers_per_second=figures.counts.rate(name, version, now),
        coverage=figures.joiner.coverage(name, version),
        quality=figures.quality.series(name, version),
    )


def role_of(aliases: Sequence[str]) -> str:
    """Return the role of a version by its aliases: champion, else challenger, else the first."""
    if CHAMPION in aliases:
        return CHAMPION
    return CHALLENGER if CHALLENGER in aliases else next(iter(aliases), "")


def is_known(view: VersionView) -> bool:
    """Return whether anything is known of a version."""
    return bool(view.published_at or view.answers or view.quality or view.aliases)


def find_main_metric(
    quality: Sequence[QualityPoint], versions: Sequence[VersionView]
) -> str | None:
    """Return the metric by which versions are compared, from the newest figures there are."""
    points = [*quality[-1:], *(one.quality[-1] for one in versions if one.quality)]
    return next((m for point in points if (m := main_metric(point.values)) is not None), None)
