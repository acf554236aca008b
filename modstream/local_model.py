"""A published model in the caller's own process: the workers' inference engine, without Kafka."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from pydantic import ValidationError

from modstream.broker.wire.contract_errors import describe
from modstream.broker.wire.contracts import Request, StepResult
from modstream.errors import InvalidValue
from modstream.models.registry.refs import CHAMPION
from modstream.models.runtimes.runtime import models_of_steps
from modstream.models.schema.card import ModelCard
from modstream.models.serving.loaded_models import LoadedModel
from modstream.models.serving.model_cache import ModelCache
from modstream.processors.predict.engine import InferenceEngine, Rejection
from modstream.processors.predict.model_resolver import (
    FixedModelProvider,
    ModelProvider,
    SingleModelProvider,
)
from modstream.processors.predict.settings import InferenceSettings
from modstream.registry.access import open_registry
from modstream.registry.backups import load_backup
from modstream.registry.published import load_published
from modstream.registry.trust import load_trust
from modstream.settings import Settings, load_settings

REQUEST_ID = "local"


@dataclass(frozen=True, slots=True)
class LocalPrediction:
    """Outputs as a worker writes them, and the version that made them.

    `outputs` are those of one row by name, or a tuple with those of each row.
    """

    outputs: Any
    model: str
    version: int
    steps: tuple[StepResult, ...] = ()
    """What each step of a pipeline did."""


class LocalModel:
    """A model that predicts in this process; `load_model` makes one. Use it as a context manager.

    One thread may use it at a time.
    """

    def __init__(
        self, name: str, ref: int | str, provider: ModelProvider, close: Callable[[], None]
    ) -> None:
        self._name, self._ref = name, ref
        self._provider = provider
        self._engine = InferenceEngine(provider, InferenceSettings((name,), record_features=False))
        self._close = close

    @property
    def card(self) -> ModelCard:
        """The card of the version that predicts now."""
        return self._provider.get(self._name, self._ref).card

    def predict(self, rows: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> LocalPrediction:
        """Predict one row of features by name, or several rows at once.

        Values are checked as in a worker: a missing feature, a value of another type or one out of
        range is refused, and so are all rows of the call. Scalars of NumPy count as numbers.

        Raises:
            InvalidValue: these are no rows of features.
            Refusal: the model gives no prediction; `code` is that of the error response.
        """
        request = _make_request(self._name, self._ref, rows)
        (response,) = self._engine.infer([request])[0]
        if isinstance(response, Rejection):
            raise response.reason
        made_by = response.card.name, response.card.version
        return LocalPrediction(response.outputs, *made_by, response.steps or ())

    def close(self) -> None:
        """Stop following new versions."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def load_model(
    name: str,
    ref: int | str = CHAMPION,
    *,
    settings: Settings | None = None,
    follow: bool = False,
    offline: bool = False,
) -> LocalModel:
    """Load a published version into this process: signature and hash are checked first.

    Args:
        name: the model's name.
        ref: a version number or an alias.
        settings: where the registry and the backups are and whose signatures are trusted; by
            default as the commands find them.
        follow: whether a new version behind the alias replaces the loaded one, between two calls
            of `predict`. A version that cannot be loaded does not.
        offline: load from the folder of backups (`backup_dir`), without Redis; `ref` must be a
            version number then.

    Raises:
        ModelNotFound: there is no such model, version or alias.
        BackupMissing: with `offline`, there is no backup of the version.
        RegistryUnavailable: Redis does not answer.
        UntrustedModel: no trusted key has signed the version.
        ArtifactError: the version cannot be loaded.
    """
    settings = settings or load_settings()
    if offline:
        if follow:
            raise InvalidValue("a model that is loaded offline cannot follow new versions")
        return _fixed(load_backup(settings, name, ref), partial(load_backup, settings))
    if not follow:
        return _fixed(load_published(settings, name, ref), partial(load_published, settings))
    with ExitStack() as undo:
        registry = undo.enter_context(open_registry(settings))
        trust = load_trust(settings)
        cache = undo.enter_context(ModelCache(registry, trust, settings.model_cache))
        cache.load(name, ref)
        return LocalModel(name, ref, cache, undo.pop_all().close)


def _fixed(model: LoadedModel, load: Callable[[str, int | str], LoadedModel]) -> LocalModel:
    """Return a version as a model; of a pipeline, the models of its steps are loaded, too."""
    name, version = model.key
    steps = FixedModelProvider({one: load(*one) for one in models_of_steps(model.runtime)})
    provider = SingleModelProvider(model, frozenset({name}), steps)
    return LocalModel(name, version, provider, lambda: None)


def _make_request(
    name: str, ref: int | str, rows: Mapping[str, Any] | Sequence[Mapping[str, Any]]
) -> Request:
    features = _plain(rows) if isinstance(rows, Mapping) else tuple(_plain(row) for row in rows)
    document = {"id": REQUEST_ID, "features": features, "model": name, "version": ref}
    try:
        return Request.model_validate(document)
    except ValidationError as error:
        raise InvalidValue(describe(error, document)) from None


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with the scalars of NumPy as numbers of Python."""
    if not isinstance(row, Mapping):
        raise InvalidValue(f"a row maps features to values, and this is a {type(row).__name__}")
    return {name: value.item() if hasattr(value, "item") else value for name, value in row.items()}
