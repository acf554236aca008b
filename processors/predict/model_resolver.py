"""Resolution of models: one version per model and reference for a whole batch."""

from typing import Protocol

from modstream.models.errors import ModelError
from modstream.models.registry.errors import ModelNotFound
from modstream.models.registry.refs import CHALLENGER, CHAMPION
from modstream.models.runtimes.runtime import Runtime
from modstream.models.schema.card import ModelCard
from modstream.processors.errors import ModelUnavailable, Refusal, UnknownModel


class ServableModel(Protocol):
    """A model version that is loaded."""

    @property
    def card(self) -> ModelCard:
        """The version's card."""

    @property
    def runtime(self) -> Runtime:
        """The runtime that predicts."""


class ModelProvider(Protocol):
    """Gives loaded models by name and version or alias."""

    def get(self, name: str, ref: int | str = CHAMPION) -> ServableModel:
        """Return the version that `ref` means now.

        Raises:
            ModelNotFound: there is no such model, version or alias.
            ModelError: it cannot be loaded now.
        """


class ModelResolver:
    """The models as one batch sees them: a resolved reference keeps its version.

    With a `challenger_share` above 0, the champion replaces the challenger of a model that has
    none.
    """

    def __init__(self, models: ModelProvider, challenger_share: float = 0.0) -> None:
        self._models = models
        self._falls_back = challenger_share > 0
        self._resolved: dict[tuple[str, int | str], ServableModel | Refusal] = {}

    def resolve(self, model: str, ref: int | str) -> ServableModel | Refusal:
        """Return the version that `ref` means in this batch, or the reason why it has none."""
        found = self._resolved.get((model, ref))
        if found is None:
            found = self._resolved[model, ref] = self._load(model, ref)
        return found

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
        except ModelError as error:
            return ModelUnavailable(model, str(error))
