"""Requests as events carry them, and their answers as JSON documents."""

from dataclasses import dataclass
from typing import Any, cast

from modstream.broker.errors import DecodeError, InternalError
from modstream.broker.wire.contracts import Tensor
from modstream.broker.wire.event_requests import EventRequest
from modstream.broker.wire.records import Record
from modstream.models.schema.card import ModelCard
from modstream.processors.errors import ModelNotReady, ModelUnavailable, Refusal
from modstream.processors.predict.engine import Inference


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived.

    `record` has the bytes and the headers; of a request that no topic carried, position and key
    are made up. `default_id` is the id of a request that has none: the same, each time that the
    request is delivered. `fault` is the reason why the event's own form cannot be read. `model` and
    `version` are those of a path, which precede the body's. `event` is the request in a record of
    Kafka that is a CloudEvent.
    """

    record: Record
    default_id: str
    fault: DecodeError | None = None
    model: str | None = None
    version: int | str | None = None
    event: EventRequest | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request: the inference, or the reason why there is none."""

    request_id: str
    outcome: Inference | Refusal | DecodeError | InternalError
    model: str

    @property
    def is_temporary(self) -> bool:
        """Whether the same request may be answered later."""
        return isinstance(self.outcome, ModelUnavailable | ModelNotReady)

    @property
    def code(self) -> str | None:
        """The error's code, for programs; None if there is a prediction."""
        return None if isinstance(self.outcome, Inference) else self.outcome.code

    @property
    def card(self) -> ModelCard | None:
        """The card of the version that predicted, if one did."""
        return self.outcome.card if isinstance(self.outcome, Inference) else None

    def document(self) -> dict[str, Any]:
        """Return the answer as JSON.

        Rows by name are answered by name; tensors as by the Open Inference Protocol V2.
        """
        outcome = self.outcome
        if not isinstance(outcome, Inference):
            return {"id": self.request_id, "error": str(outcome), "code": outcome.code}
        name, version = outcome.card.name, outcome.card.version
        if outcome.request.inputs is None:
            outputs = outcome.outputs
            return {"id": self.request_id, "model": name, "version": version, "outputs": outputs}
        return {
            "id": self.request_id,
            "model_name": name,
            "model_version": str(version),
            "outputs": [
                tensor.model_dump(mode="json", exclude_none=True)
                for tensor in cast(tuple[Tensor, ...], outcome.outputs)
            ],
        }
