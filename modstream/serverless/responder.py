"""The answers to the requests of one event, by the version that this container has loaded."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import time

from modstream.broker.errors import DecodeError, InternalError, NotJson, UnforeseenException
from modstream.broker.loop.isolation import (
    Failure,
    RecordFault,
    attempt_in_parts,
    log_faults,
    place_of,
)
from modstream.broker.wire.codec import check_size, translate_request_errors
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.record_batch import parse_headers
from modstream.broker.wire.tensor_binary import split_payload, with_tensor_data
from modstream.models.registry.errors import ModelNotFound
from modstream.models.registry.refs import CHAMPION
from modstream.processors.errors import Refusal
from modstream.processors.predict.deadlines import check_deadline
from modstream.processors.predict.engine import Inference, InferenceEngine
from modstream.processors.predict.model_resolver import ServableModel
from modstream.processors.predict.settings import InferenceSettings
from modstream.serverless.answers import Answer, Asked


@dataclass(frozen=True, slots=True)
class OneVersion:
    """Gives the version that was loaded, under its number and the reference it was loaded by.

    The champion, which requests without a version ask for, is this version, too.
    """

    model: ServableModel
    ref: int | str

    def get(self, name: str, ref: int | str = CHAMPION) -> ServableModel:
        """Return the one version.

        Raises:
            ModelNotFound: another model, version or alias is asked for.
        """
        card = self.model.card
        if name != card.name or ref not in {card.version, self.ref, CHAMPION}:
            raise ModelNotFound(name, ref)
        return self.model


class Responder:
    """Answers requests with one loaded version; all of an event are predicted in one batch."""

    def __init__(
        self,
        model: ServableModel,
        ref: int | str,
        max_request_bytes: int,
        *,
        record_features: bool = False,
        now: Callable[[], float] = time,
    ) -> None:
        self.card, self.name = model.card, model.card.name
        settings = InferenceSettings((self.name,), record_features=record_features)
        self._engine = InferenceEngine(OneVersion(model, ref), settings)
        self._max_request_bytes = max_request_bytes
        self._now = now

    def answer(self, asked: Sequence[Asked]) -> list[Answer]:
        """Answer requests, in their order.

        A request that cannot be read, or whose deadline has passed, is answered with an error. So
        is one on which the engine fails for an unforeseen reason, which is logged.
        """
        answers: dict[int, Answer] = {}
        requests: list[tuple[int, Request]] = []
        for position, one in enumerate(asked):
            found = self._read(one)
            if isinstance(found, Request):
                requests.append((position, found))
            else:
                answers[position] = found
        if requests:
            answers |= self._infer(requests, asked)
        return [answers[position] for position in range(len(asked))]

    def _read(self, asked: Asked) -> Request | Answer:
        try:
            request = read_request(asked, self._max_request_bytes)
        except DecodeError as error:
            return Answer(error.request_id or asked.default_id, error, self.name)
        deadline = parse_headers(asked.record.headers).deadline
        late = check_deadline(deadline, int(self._now() * 1000))
        return request if late is None else Answer(request.id, late, request.model or self.name)

    def _infer(
        self, requests: Sequence[tuple[int, Request]], asked: Sequence[Asked]
    ) -> dict[int, Answer]:
        answers: dict[int, Answer] = {}
        faults: list[RecordFault] = []
        for part, outcome in attempt_in_parts(self._predict, requests):
            if isinstance(outcome, Failure):
                position, request = part[0]
                place = place_of(outcome.error)
                faults.append(RecordFault(asked[position].record, outcome.error, place))
                cause = UnforeseenException(type(outcome.error).__qualname__, place)
                answers[position] = Answer(request.id, cause, request.model or self.name)
            else:
                answers.update(outcome)
        log_faults(faults)
        return answers

    def _predict(self, requests: Sequence[tuple[int, Request]]) -> dict[int, Answer]:
        found = self._engine.infer([request for _, request in requests])
        answers = {}
        for (position, request), (response,) in zip(requests, found, strict=True):
            if isinstance(response, Inference):
                outcome: Inference | Refusal | InternalError = response
                model = response.card.name
            else:
                outcome, model = response.reason, response.model
            answers[position] = Answer(request.id, outcome, model)
        return answers


def read_request(asked: Asked, limit: int) -> Request:
    """Read a request; one without an id gets the default one.

    Raises:
        DecodeError: it is too large, is not JSON, or violates the contract.
    """
    if asked.fault is not None:
        raise asked.fault
    check_size(asked.record.value, limit)
    document, tail = split_payload(asked.record if asked.event is None else asked.event.record)
    with translate_request_errors(document):
        fields = _parse(document)
        if isinstance(fields, dict):
            fields = {**fields, **_given(asked)}
            # OIP clients write "", others null, for an id that they leave to the server.
            fields["id"] = fields.get("id") or asked.default_id
        return Request.model_validate(fields if tail is None else with_tensor_data(fields, tail))


def _parse(document: bytes) -> object:
    try:
        return json.loads(document)
    except UnicodeDecodeError as error:
        raise NotJson(f"it is not UTF-8 ({error.reason})") from None


def _given(asked: Asked) -> dict[str, object]:
    """Return the model and the version of a path, where it has them."""
    given = {"model": asked.model, "version": asked.version}
    return {name: value for name, value in given.items() if value is not None}
