"""Publishing of one mean: a version has the newest published versions of its parts."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from modstream.broker.wire.topics import Topics
from modstream.lineage.runs import mean_run
from modstream.models.errors import ModelError
from modstream.models.registry.errors import AliasMoved, RegistryError
from modstream.models.registry.registry import Registry
from modstream.models.runtimes.mean.artifact import MeanPart, mean_spec, pack
from modstream.models.runtimes.runtime import load
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.models.schema.version_spec import VersionSpec
from modstream.models.serving.loader import warm_up
from modstream.processors.learn.publish_throttle import PublishThrottle
from modstream.processors.promote.champion_challenger import ChampionChallenger
from modstream.processors.promote.mean_candidate import MeanCandidate
from modstream.processors.promote.state_rollback import FrozenModel
from modstream.registry.events import model_event
from modstream.services.candidates import candidate_note
from modstream.services.version_publisher import VersionPublisher


@dataclass(slots=True)
class MeanPublisher:
    """Publishes the versions of one mean, at most as often as `throttle` lets it.

    Attributes:
        registry: the model registry.
        candidates: the candidates, of which `name` is the mean.
        name: the mean's name and alias.
        lead: the publisher of the lead, which sends the events.
        throttle: spaces out the versions, each of which is as large as all parts.
        warm_up_rows: the number of rows that a version must predict before it is published.
    """

    registry: Registry
    candidates: ChampionChallenger
    name: str
    lead: VersionPublisher
    throttle: PublishThrottle
    warm_up_rows: int = 32

    @property
    def mean(self) -> MeanCandidate:
        """The candidate."""
        return self.candidates.means[self.name]

    @property
    def card(self) -> ModelCard | None:
        """The card of the newest version; None before the first."""
        return self.candidates.card_of(self.name)

    def is_outdated(self) -> bool:
        """Return whether there is no version, or a part has a newer one than it has."""
        return self.card is None or _versions(self.card) != self._newest()

    def is_behind(self) -> bool:
        """Return whether a version is to be published now."""
        return self.throttle.is_due() and self.is_outdated()

    def publish(
        self,
        alias: str | None,
        *,
        expected: int | None = None,
        test_number: int = 1,
        reason: str = "",
    ) -> bool:
        """Publish the newest versions of the parts as one version; return False if it failed.

        If these are in the newest version already, the alias moves to that.

        Args:
            alias: the alias to point at the version, if any.
            expected: the version that the alias must point at before; by default any.
            test_number: the gate's current test number, from which a later process continues.
            reason: why the version is published; written to the history of the alias.

        Raises:
            AliasMoved: the alias points at another version than the expected one.
        """
        log, start = structlog.get_logger(__name__), self.throttle.clock()
        try:
            if self.card is None or self.is_outdated():
                self._publish(alias, expected, test_number, reason)
            elif alias is not None:
                card = self.card
                self.registry.promote(
                    card.name, card.version, alias, expected=expected, reason=reason
                )
        except AliasMoved:
            raise
        except RegistryError as error:
            log.warning("mean not published", mean=self.name, cause=str(error))
            return False
        except ModelError as error:
            log.warning("mean cannot be published", mean=self.name, cause=str(error))
            return False
        finally:
            self.throttle.record_cost(self.throttle.clock() - start)
        return True

    def announce_resumed(self, alias: str | None) -> None:
        """Send the event of the newest version again: its publisher may have crashed first."""
        if self.card is not None:
            current = self.registry.aliases(self.card.name).get(alias or "") == self.card.version
            self._announce(self.card, alias if current else None)

    def _publish(
        self, alias: str | None, expected: int | None, test_number: int, reason: str
    ) -> None:
        parts, parent = self._parts(), self.card
        artifact = Artifact(pack(parts))
        spec = self._spec(parts, parent, test_number)
        unnumbered = spec.make_card(1, artifact)
        runtime = load(artifact, unnumbered)
        warm_up(runtime, unnumbered, self.warm_up_rows)
        card = self.registry.publish(
            spec, artifact.content, alias=alias, expected=expected, reason=reason
        )
        self.mean.published = FrozenModel(card, runtime)
        self.lead.learner.prequential.versions.add(card)
        self._announce(card, alias)
        self.lead.lineage.record(
            mean_run(self._topics, card, [part.card for part in parts], alias, reason)
        )

    def _spec(
        self, parts: Sequence[MeanPart], parent: ModelCard | None, test_number: int
    ) -> VersionSpec:
        spec = mean_spec(self.lead.learner.card.name, parts, candidate_note(self.name))
        known = {
            "parent": None if parent is None else parent.version,
            "trial": None if parent is None else parent.trial,
            "metrics": {"event_time": self.lead.learner.event_time, "test_number": test_number},
        }
        return spec.model_copy(update=known)

    def _parts(self) -> list[MeanPart]:
        """Return the newest published version of each part, with its artifact."""
        cards = zip(self.mean.parts, self.mean.weights, self._cards(), strict=True)
        return [
            MeanPart(card, self.registry.artifact(card).content, weight, part)
            for part, weight, card in cards
        ]

    def _announce(self, card: ModelCard, alias: str | None) -> None:
        self.lead.send([model_event(self._topics, card, "publish", alias=alias)])

    def _newest(self) -> list[int]:
        return [card.version for card in self._cards()]

    def _cards(self) -> list[ModelCard]:
        cards = [self.candidates.card_of(part) for part in self.mean.parts]
        return [card for card in cards if card is not None]

    @property
    def _topics(self) -> Topics:
        return self.lead.topics


def _versions(card: ModelCard) -> list[int]:
    return [part.version for part in card.parts]
