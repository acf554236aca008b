"""The views of models: from the topics, the registry, and what is computed in the background."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from modstream.dashboard.figures import StreamFigures
from modstream.dashboard.model_views import (
    Moment,
    listed_names,
    model_summary,
    model_view,
    shown_versions,
)
from modstream.dashboard.monitoring_reader import MonitoringReader
from modstream.dashboard.pipeline_views import PipelineDefinitions, pipeline_view
from modstream.dashboard.registry_facts import CardFacts, RegistryFacts
from modstream.dashboard.service_sampler import Sample
from modstream.dashboard.snapshots import ModelSummary, ModelView, PipelineView
from modstream.dashboard.store_sampler import StoreSampler
from modstream.models.pipelines.definition import PIPELINE


@dataclass(frozen=True, slots=True)
class ModelPages:
    """Makes the views of models; safe for several threads."""

    route: Sequence[str]
    figures: StreamFigures
    facts: RegistryFacts
    definitions: PipelineDefinitions
    monitoring: MonitoringReader
    stored: StoreSampler

    def summaries(self, sample: Sample, moment: Moment) -> tuple[ModelSummary, ...]:
        """Return all models: those of the route first, then by name."""

        def view(figures: StreamFigures) -> tuple[ModelSummary, ...]:
            return tuple(
                model_summary(
                    name,
                    sample.models.get(name),
                    figures,
                    is_in_route=name in self.route,
                    now=moment.now,
                )
                for name in listed_names(self.route, sample.models, figures)
            )

        return self.figures.read(view, moment.now)

    def view(self, name: str, sample: Sample, moment: Moment) -> ModelView | None:
        """Return one model, or None if neither the registry nor a topic knows it."""
        facts, is_available = sample.models.get(name), "registry" not in sample.errors
        names = self.figures.read(lambda found: listed_names(self.route, (), found), moment.now)
        if facts is None and name not in names:
            return None
        versions = self.figures.read(lambda f: shown_versions(name, facts, f), moment.now)
        # Outside the lock: the registry may take its time.
        cards = {} if facts is None else self.facts.cards(name, versions, is_available=is_available)
        view = self.figures.read(
            lambda found: model_view(
                name, facts, cards, found, moment, is_in_route=name in self.route
            ),
            moment.now,
        )
        return replace(
            view,
            monitoring=self.monitoring.latest.get(name),
            pipeline=self._pipeline(view, cards, sample),
            stored=self.stored.latest.get(name),
        )

    def _pipeline(
        self, view: ModelView, cards: Mapping[int, CardFacts], sample: Sample
    ) -> PipelineView | None:
        card = None if view.champion is None else cards.get(view.champion)
        if view.champion is None or card is None or card.runtime != PIPELINE:
            return None
        is_available = "registry" not in sample.errors
        definition = self.definitions.get(view.name, view.champion, is_available=is_available)
        if definition is None:
            return None
        answer = self.figures.answers.get(view.name, view.champion)
        return pipeline_view(definition, view.champion, sample.models, answer)
