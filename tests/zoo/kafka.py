"""Imported models behind a real worker: published after a trial, and asked through Kafka."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

from modstream.broker.wire.contracts import Request
from modstream.models.importers.imported_model import ImportedModel
from modstream.models.schema.card import ModelCard
from modstream.models.trial.process import TrialProcess
from modstream.processors.errors import NoOutput, Refusal
from modstream.processors.predict.engine import Inference, InferenceResponse, Rejection
from modstream.producers.client.client import Client
from modstream.producers.client.pending_requests import PendingRequest
from modstream.producers.errors import RequestRefused
from modstream.registry.publishing import publish_model, try_model
from modstream.settings import Settings
from tests.journeys.conftest import TIMEOUT_SECONDS, System, open_system, publish_untrained

ROUTE = "any"


class ErrorOfWorker(Refusal):
    """The error response of a worker."""

    def __init__(self, response: RequestRefused) -> None:
        super().__init__(response.message)
        self.code = response.code


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A published version, asked through Kafka."""

    card: ModelCard
    client: Client

    def ask(self, requests: Sequence[Request]) -> list[InferenceResponse]:
        """Send requests that name this model, and return their responses in order."""
        self._wait_until_loaded(requests[0])
        sent = [
            self.client.submit(
                request.model_copy(update={"id": uuid4().hex, "model": self.card.name})
            )
            for request in requests
        ]
        return [
            self._response(request, pending)
            for request, pending in zip(requests, sent, strict=True)
        ]

    def _wait_until_loaded(self, request: Request) -> None:
        """Repeat a request while its answer says that the model is being loaded."""
        deadline = monotonic() + TIMEOUT_SECONDS
        while monotonic() < deadline:
            again = request.model_copy(update={"id": uuid4().hex, "model": self.card.name})
            response = self._response(again, self.client.submit(again))
            if not isinstance(response, Rejection) or response.reason.code != "model_loading":
                return

    def _response(self, request: Request, pending: PendingRequest) -> InferenceResponse:
        try:
            found: Any = self.client.wait(pending, TIMEOUT_SECONDS)
        except RequestRefused as error:
            reason: Refusal = ErrorOfWorker(error)
            if error.code == NoOutput.code:
                reason = NoOutput(self.card.name, self.card.version, error.message)
            return Rejection(request, self.card.name, reason)
        return Inference(request, self.card, found.outputs, found.features)


@dataclass
class KafkaServing:
    """Publishes imported models to the registry of a running worker."""

    system: System
    client: Client
    numbers: Iterator[int]
    trials: TrialProcess

    def __call__(self, imported: ImportedModel) -> PublishedModel:
        """Publish a model as `modstream models publish` does, under a name of its own.

        Raises:
            ArtifactError: the trial refuses it.
        """
        settings: Settings = self.system.settings
        name = re.sub(r"[^A-Za-z0-9._-]", "-", f"zoo-{next(self.numbers)}")
        renamed = imported._replace(spec=imported.spec.model_copy(update={"name": name}))
        tried = try_model(renamed, self.trials)
        with self.system.registry() as registry:
            card = publish_model(settings, registry, tried, "champion").card
        return PublishedModel(card, self.client)


@contextmanager
def kafka_serving(bootstrap: str, redis: str, prefix: str, folder: Path) -> Iterator[KafkaServing]:
    """Start a worker that serves whatever is published, until the context ends."""
    with open_system(bootstrap, redis, prefix, folder) as system:
        system.settings = system.settings.model_copy(update={"route": (ROUTE,), "stream": "zoo"})
        publish_untrained(system, ROUTE)
        system.start("worker", "worker")
        system.wait_for_worker()
        with TrialProcess(system.settings.model_cache.trial_limits) as trials:
            yield KafkaServing(system, system.client(), count(), trials)
