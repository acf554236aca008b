"""Imported models behind the inference engine, in this process: no Kafka, no registry."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from modstream.broker.wire.contracts import Request, Tensor
from modstream.models.importers.imported_model import ImportedModel
from modstream.models.runtimes.runtime import AnyRuntime, load
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.models.serving.loader import warm_up
from modstream.processors.predict.engine import InferenceEngine, InferenceResponse
from modstream.processors.predict.settings import InferenceSettings


class Served(Protocol):
    """A model that answers requests, in this process or behind a worker."""

    @property
    def card(self) -> ModelCard:
        """The version's card."""

    def ask(self, requests: Sequence[Request]) -> list[InferenceResponse]:
        """Answer requests."""


Serve = Callable[[ImportedModel], Served]
"""Makes an imported model answer requests; raises ArtifactError if it cannot be served."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A version as a worker holds it, and the provider that gives no other."""

    card: ModelCard
    runtime: AnyRuntime

    def get(self, _name: str, _ref: int | str = "champion") -> "LoadedModel":
        """Return this version."""
        return self

    def ask(self, requests: Sequence[Request]) -> list[InferenceResponse]:
        """Answer requests with the engine."""
        engine = InferenceEngine(self, InferenceSettings(route=(self.card.name,)))
        return [response for (response,) in engine.infer(requests)]


def load_imported(imported: ImportedModel) -> LoadedModel:
    """Load an imported model as a worker would: card, hash check, runtime, warm-up.

    Raises:
        ArtifactError: a worker could not serve it.
    """
    artifact = Artifact(imported.artifact)
    card = imported.spec.make_card(1, artifact)
    # The card travels as JSON, and must mean the same afterwards.
    card = ModelCard.model_validate_json(card.model_dump_json())
    runtime = load(artifact, card)
    warm_up(runtime, card, 8)
    return LoadedModel(card, runtime)


def ask(imported: ImportedModel | Served, requests: Sequence[Request]) -> list[InferenceResponse]:
    """Answer requests with a model: for each the outputs, or the reason why there are none.

    Raises:
        ArtifactError: a worker could not serve the model.
    """
    model = load_imported(imported) if isinstance(imported, ImportedModel) else imported
    return model.ask(requests)


def row_requests(rows: Sequence[Mapping[str, Any]]) -> list[Request]:
    """Return one request for each row by name."""
    return [Request(id=f"row-{at}", features=dict(row)) for at, row in enumerate(rows)]


def rows_request(rows: Sequence[Mapping[str, Any]]) -> Request:
    """Return one request for all rows by name."""
    return Request(id="rows", features=tuple(map(dict, rows)))


def tensor_request(*tensors: Tensor) -> Request:
    """Return a request of Open Inference Protocol tensors."""
    return Request(id="tensors", inputs=tensors)
