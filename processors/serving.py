"""What the request path is given: settings, and models from a shelf."""

from dataclasses import dataclass
from typing import Protocol

from models.card import ModelCard
from models.errors import ModelError, ModelNotFound
from models.runtime import Runtime
from processors.errors import ModelUnavailable, ModelUnknown, Refusal


class Loaded(Protocol):
    """A model version ready to answer."""

    @property
    def card(self) -> ModelCard:
        """What is known about it."""

    @property
    def runtime(self) -> Runtime:
        """What answers."""


class Shelf(Protocol):
    """Where loaded models stand."""

    def get(self, name: str, ref: int | str = "champion") -> Loaded:
        """The version that `ref` means now."""


@dataclass(frozen=True, slots=True)
class PredictSettings:
    """How a stream is answered.

    `route` are the models that answer a request that names none, the first is the primary;
    `largest` is the most bytes of a request; `record_features` keeps a single row's features
    with the primary's answer, for the learner.
    """

    route: tuple[str, ...]
    largest: int = 1024 * 1024
    record_features: bool = True

    def asked(self, model: str | None) -> tuple[str, ...]:
        """The models that answer a request that names this one, or none."""
        return self.route if model is None else (model,)


class Hand:
    """The shelf as one batch sees it: what is taken stays, and no request sees two versions."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._taken: dict[tuple[str, int | str], Loaded | Refusal] = {}

    def take(self, model: str, ref: int | str) -> Loaded | Refusal:
        """The version that `ref` means in this batch, or why it cannot be had."""
        found = self._taken.get((model, ref))
        if found is None:
            found = self._taken[model, ref] = self._asked(model, ref)
        return found

    def _asked(self, model: str, ref: int | str) -> Loaded | Refusal:
        try:
            return self._shelf.get(model, ref)
        except ModelNotFound:
            return ModelUnknown(model, ref)
        except ModelError as error:
            return ModelUnavailable(model, str(error))
