"""Resolution of models: one version per model and reference for a whole batch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from modstream.models.errors import ModelError, ModelLoading
from modstream.models.evaluation.served_sets import ServedThreshold, ServedThresholds
from modstream.models.registry.errors import ModelNotFound
from modstream.models.registry.refs import CHALLENGER, CHAMPION
from modstream.models.runtimes.runtime import AnyRuntime
from modstream.models.schema.card import ModelCard
from modstream.processors.errors import ModelNotReady, ModelUnavailable, Refusal, UnknownModel
from modstream.processors.predict.stream_features import NO_FEATURES, StreamFeatures

NO_THRESHOLDS: ServedThresholds = MappingProxyType({})
"""The thresholds where no model's answers have conformal sets."""
FindThresholds = Callable[[], ServedThresholds]
"""Returns the thresholds that a new batch is answered with."""


def no_thresholds() -> ServedThresholds:
    """Return no threshold."""
    return NO_THRESHOLDS


class ServableModel(Protocol):
    """A model version that is loaded."""

    @property
    def card(self) -> ModelCard:
        """The version's card."""

    @property
    def runtime(self) -> AnyRuntime:
        """The runtime that predicts."""


class ModelProvider(Protocol):
    """Gives loaded models by name and version or alias."""

    def get(self, name: str, ref: int | str = CHAMPION) -> ServableModel:
        """Return the version that `ref` means now.

        Raises:
            ModelNotFound: there is no such model, version or alias.
            ModelLoading: it is being loaded.
            ModelError: it cannot be loaded now.
        """


@dataclass(frozen=True, slots=True)
class SingleModelProvider:
    """Gives one version for some model names, whatever version is asked for.

    `steps` gives the models of its steps if it is a pipeline.
    """

    model: ServableModel
    names: frozenset[str]
    steps: ModelProvider | None = None

    def get(self, name: str, ref: int | str = CHAMPION) -> ServableModel:
        """Return the one version.

        Raises:
            ModelNotFound: the name is none of `names`, and no model of a step.
        """
        if name in self.names:
            return self.model
        if self.steps is None:
            raise ModelNotFound(name, ref)
        return self.steps.get(name, ref)


@dataclass(frozen=True, slots=True)
class FixedModelProvider:
    """Gives versions that were loaded before, by what was asked for then."""

    models: Mapping[tuple[str, int | str], ServableModel]

    def get(self, name: str, ref: int | str = CHAMPION) -> ServableModel:
        """Return the version of a reference.

        Raises:
            ModelNotFound: it was not loaded.
        """
        if (name, ref) not in self.models:
            raise ModelNotFound(name, ref)
        return self.models[name, ref]


class ModelResolver:
    """The models as one batch sees them: a resolved reference keeps its version.

    With a `challenger_share` above 0, the champion replaces the challenger of a model that has
    none. `thresholds` are those of the conformal sets in the batch's answers, by model. `features`
    are those that the stream computes, as they are now.
    """

    def __init__(
        self,
        models: ModelProvider,
        challenger_share: float = 0.0,
        thresholds: ServedThresholds = NO_THRESHOLDS,
        features: StreamFeatures = NO_FEATURES,
    ) -> None:
        self._models = models
        self._thresholds = thresholds
        self.features = features
        self._falls_back = challenger_share > 0
        self._resolved: dict[tuple[str, int | str], ServableModel | Refusal] = {}

    def resolve(self, model: str, ref: int | str) -> ServableModel | Refusal:
        """Return the version that `ref` means in this batch, or the reason why it has none."""
        found = self._resolved.get((model, ref))
        if found is None:
            found = self._resolved[model, ref] = self._load(model, ref)
        return found

    def find_resolved(self, model: str, ref: int | str) -> ServableModel | None:
        """Return the version that answers for `ref`, if this batch has resolved it."""
        found = _servable(self._resolved.get((model, ref)))
        if found is None and ref == CHALLENGER and self._falls_back:
            found = _servable(self._resolved.get((model, CHAMPION)))
        return found

    def threshold(self, card: ModelCard) -> ServedThreshold | None:
        """Return the threshold of conformal sets for a version; None if its answers have none."""
        found = self._thresholds.get(card.name)
        if found is None or found.task != card.task or card.output_form != "array":
            return None
        return found

    def resolved_cards(self) -> list[ModelCard]:
        """Return the cards of all versions that this batch has resolved."""
        found = map(_servable, self._resolved.values())
        return [model.card for model in found if model is not None]

    def effective_ref(self, model: str, ref: int | str) -> int | str:
        """Return the reference that answers for `ref`; another one only for a challenger."""
        if ref != CHALLENGER or not self._falls_back:
            return ref
        return CHAMPION if isinstance(self.resolve(model, ref), UnknownModel) else ref

    def _load(self, model: str, ref: int | str) -> ServableModel | Refusal:
        try:
            return self._models.get(model, ref)
        except ModelNotFound:
            return UnknownModel(model, ref)
        except ModelLoading as error:
            return ModelNotReady(str(error))
        except ModelError as error:
            return ModelUnavailable(model, str(error))


def _servable(found: ServableModel | Refusal | None) -> ServableModel | None:
    return None if isinstance(found, Refusal) else found
