"""The entry point of a serverless function: it recognises an event and answers in its form.

| event | requests | result |
|---|---|---|
| MSK, self-managed Kafka | the values of the records | `batchItemFailures` by offset |
| SQS | the bodies of the messages | `batchItemFailures` by message id |
| HTTP API, REST API, function URL, load balancer | the body | an HTTP response |
| CloudEvent, structured, over HTTP or alone | the event's data | the answer as an event |
| a request itself | the event | the answer |

A request that the model cannot take is answered with an error, and is not delivered again. If the
version cannot be loaded now, Lambda is told to deliver the request again.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

import structlog

from modstream.broker.errors import BrokerError
from modstream.broker.wire.identifiers import usable_id
from modstream.broker.wire.records import Record
from modstream.errors import UnknownEvent
from modstream.models.errors import ModelError
from modstream.processors.errors import ModelUnavailable
from modstream.serverless.answers import Answer, Asked
from modstream.serverless.batch_events import (
    KAFKA_SOURCES,
    SQS_SOURCE,
    BatchItem,
    failures,
    read_kafka_event,
    read_sqs_event,
    split_answered,
)
from modstream.serverless.cloud_events import (
    answer_event,
    asked_by_event,
    asked_by_http,
    is_cloud_event,
    respond_events,
    uses_cloud_events,
)
from modstream.serverless.container import Container
from modstream.serverless.http_events import (
    read_http_event,
    refuse_route,
    respond,
    respond_answer,
)
from modstream.serverless.results import as_result, direct_request

Event = Mapping[str, Any]


class Function:
    """A function that answers events; called by the platform, one event at a time."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._calls = count()

    def __call__(self, event: Event, context: object = None) -> dict[str, Any]:
        """Answer one event.

        Args:
            event: the event, as Lambda has read it from JSON.
            context: Lambda's context; its request id is the default id of a direct request.

        Raises:
            UnknownEvent: the event has none of the known forms.
            ModelUnavailable: the version cannot be loaded now, and the event's source learns that
                from an exception only.
            StackError: the settings are not valid.
        """
        return self._find_way(event)(event, context)

    def prepare(self) -> None:
        """Load the version before the first event; a failure is logged, and tried again then."""
        try:
            _ = self._container.responder
        except Exception as error:  # noqa: BLE001 - the first event reports it
            structlog.get_logger(__name__).warning("version not loaded yet", reason=str(error))

    def _find_way(self, event: Event) -> Callable[[Event, object], dict[str, Any]]:
        if not isinstance(event, Mapping):
            raise UnknownEvent("an event", f"it is a {type(event).__name__}, not an object")
        records = event.get("Records")
        first = records[0] if isinstance(records, list) and records else {}
        first = first if isinstance(first, Mapping) else {}
        if event.get("eventSource") in KAFKA_SOURCES:
            return self._answer_kafka
        if first.get("eventSource") == SQS_SOURCE:
            return self._answer_sqs
        if "requestContext" in event or "httpMethod" in event:
            return self._answer_http
        if is_cloud_event(event):
            return self._answer_cloud_event
        if "features" in event or "inputs" in event:
            return self._answer_direct
        found = first.get("eventSource") or first.get("EventSource")
        named = f"records of {found}" if found else f"the fields {', '.join(map(str, event))[:200]}"
        raise UnknownEvent("an event", f"it has {named}")

    def _answer_kafka(self, event: Event, _context: object) -> dict[str, Any]:
        return self._answer_batch(read_kafka_event(event))

    def _answer_sqs(self, event: Event, _context: object) -> dict[str, Any]:
        return self._answer_batch(read_sqs_event(event))

    def _answer_batch(self, items: Sequence[BatchItem]) -> dict[str, Any]:
        output = self._container.output
        answered, failed = split_answered(items, self._answer([item.asked for item in items]))
        try:
            output.publish([(item.asked, answer) for item, answer in answered])
        except BrokerError as error:
            structlog.get_logger(__name__).error("answers not published", reason=str(error))
            return failures(items)
        return as_result(failures(failed), answered if output.is_result else ())

    def _answer_http(self, event: Event, _context: object) -> dict[str, Any]:
        request = read_http_event(event)
        if request.is_about_readiness:
            return self._answer_readiness()
        refused = refuse_route(request)
        if refused is not None:
            return refused
        if uses_cloud_events(request):
            return respond_events(request, self._answer(asked_by_http(request)))
        return respond_answer(self._answer([request.asked()])[0])

    def _answer_readiness(self) -> dict[str, Any]:
        try:
            card = self._container.responder.card
        except ModelError as error:
            return respond(
                503, {"ready": False, "error": str(error), "code": ModelUnavailable.code}
            )
        return respond(200, {"ready": True, "name": card.name, "version": card.version})

    def _answer_cloud_event(self, event: Event, context: object) -> dict[str, Any]:
        asked = asked_by_event(event, self._default_id(context))
        return answer_event(self._answer_or_raise(asked))

    def _answer_direct(self, event: Event, context: object) -> dict[str, Any]:
        value = direct_request(event)
        asked = Asked(Record("direct", 0, 0, None, value), self._default_id(context))
        return self._answer_or_raise(asked).document()

    def _answer_or_raise(self, asked: Asked) -> Answer:
        (answer,) = self._answer([asked])
        if answer.is_temporary and isinstance(answer.outcome, Exception):
            raise answer.outcome
        return answer

    def _answer(self, asked: Sequence[Asked]) -> list[Answer]:
        try:
            responder = self._container.responder
        except ModelError as error:
            name = self._container.model
            reason = ModelUnavailable(name, str(error))
            structlog.get_logger(__name__).error(
                "version not loaded", model=name, reason=str(error)
            )
            return [Answer(one.default_id, reason, name) for one in asked]
        return responder.answer(asked)

    def _default_id(self, context: object) -> str:
        return usable_id(getattr(context, "aws_request_id", "") or f"call-{next(self._calls)}")


handler = Function(Container())
"""The entry point: `modstream.serverless.handler` in the settings of a Lambda function."""
