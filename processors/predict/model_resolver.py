"""What the request path is given: settings, and models from a shelf."""

from collections.abc import Callable
from dataclasses import dataclass
from time import time
from typing import NamedTuple, Protocol

from modstream.broker.loop.batch_sizing import Took, untold
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.fast_codec import Head
from modstream.broker.wire.records import Record
from modstream.models.errors import ModelError, ModelNotFound
from modstream.models.runtimes.runtime import Runtime
from modstream.models.schema.card import ModelCard
from modstream.processors.errors import ModelUnavailable, ModelUnknown, Refusal
from modstream.processors.predict.batching import key_of
from modstream.processors.predict.traffic_split import CHALLENGER, CHAMPION, alias_for


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


class Timing(NamedTuple):
    """Tells seconds since the epoch, and is told what each model takes of a batch."""

    now: Callable[[], float] = time
    took: Took = untold


REAL = Timing()


@dataclass(frozen=True, slots=True)
class PredictSettings:
    """How a stream is answered.

    `route` are the models that answer a request that names none, the first is the primary;
    `largest` is the most bytes of a request; `record_features` keeps a single row's features
    with the primary's answer, for the learner. `challenger_share` of the keys are answered by the
    challenger, where there is one, if the request names neither model nor version.
    """

    route: tuple[str, ...]
    largest: int = 1024 * 1024
    record_features: bool = True
    challenger_share: float = 0.0

    def asked(self, model: str | None) -> tuple[str, ...]:
        """The models that answer a request that names this one, or none."""
        return self.route if model is None else (model,)

    def ref_of(self, record: Record, said: Request | Head) -> int | str:
        """The version or alias that a request asks for, or whose share its key is in."""
        if not self.challenger_share or said.model is not None or said.version != CHAMPION:
            return said.version
        return alias_for(key_of(record, said.id), self.challenger_share)


class Hand:
    """The shelf as one batch sees it: what is taken stays, and no request sees two versions.

    With a `challenger_share`, the champion stands in where a model has no challenger.
    """

    def __init__(self, shelf: Shelf, challenger_share: float = 0.0) -> None:
        self._shelf = shelf
        self._stands_in = challenger_share > 0
        self._taken: dict[tuple[str, int | str], Loaded | Refusal] = {}

    def take(self, model: str, ref: int | str) -> Loaded | Refusal:
        """The version that `ref` means in this batch, or why it cannot be had."""
        found = self._taken.get((model, ref))
        if found is None:
            found = self._taken[model, ref] = self._asked(model, ref)
        return found

    def ref(self, model: str, ref: int | str) -> int | str:
        """The reference that answers for `ref`: the same, but where the champion stands in."""
        if ref != CHALLENGER or not self._stands_in:
            return ref
        return CHAMPION if isinstance(self.take(model, ref), ModelUnknown) else ref

    def _asked(self, model: str, ref: int | str) -> Loaded | Refusal:
        try:
            return self._shelf.get(model, ref)
        except ModelNotFound:
            return ModelUnknown(model, ref)
        except ModelError as error:
            return ModelUnavailable(model, str(error))
