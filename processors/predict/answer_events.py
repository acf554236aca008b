"""Answers as CloudEvents of their own, in Kafka's binary mode."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from modstream.broker.wire.cloud_events import (
    CAUSATION,
    CONTENT_TYPE,
    ERROR_TYPE,
    JSON_TYPE,
    PREDICTION_TYPE,
    EventContext,
    answer_source,
    error_source,
    format_time,
    kafka_headers,
)
from modstream.broker.wire.record_size import fits, record_size
from modstream.broker.wire.records import ProducerRecord
from modstream.processors.errors import AnswerTooLarge
from modstream.processors.predict.responses import ResponseWriter, is_prediction
from modstream.processors.predict.state import BatchState


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes of an answer from a stream; `context` is that of the event it answers."""

    stream: str
    id: str
    time: str
    context: EventContext | None

    def add_to(self, found: ProducerRecord) -> ProducerRecord:
        """Return a response with its attributes as further headers."""
        content_type = (CONTENT_TYPE, JSON_TYPE.encode())
        headers = (*found.headers, content_type, *kafka_headers(self._of(found)))
        return found._replace(headers=headers)

    def _of(self, found: ProducerRecord) -> Iterator[tuple[str, str]]:
        yield "specversion", "1.0"
        yield "id", self.id
        if is_prediction(found):
            yield "type", PREDICTION_TYPE
            yield "source", answer_source(*model_of(found))
        else:
            yield "type", ERROR_TYPE
            yield "source", error_source(self.stream)
        yield "time", self.time
        if self.context is not None:
            yield CAUSATION, self.context.request_id
            yield from self.context.copied.items()


@dataclass(frozen=True, slots=True)
class WriteEvents:
    """Adds the attributes of a CloudEvent to the responses to CloudEvents, or to all responses.

    The id of an answer is the position of its request and the number of its model in the route, so
    that an answer that is written twice has the same id. Dead letters are not answers: they keep
    the attributes of the request.
    """

    writer: ResponseWriter
    stream: str
    now: Callable[[], float]
    """Returns seconds since the epoch."""
    always: bool = field(kw_only=True)

    def __call__(self, state: BatchState) -> None:
        """Replace the responses by ones with further headers."""
        if not self.always and not state.events:
            return
        time = format_time(self.now())
        positions: Iterable[int] = range(len(state.batch.records)) if self.always else state.events
        for number, responses in state.responses.of_predictions().items():
            for position in positions:
                found = responses[position]
                if found is not None and found.topic == self.writer.predictions:
                    responses[position] = self._event(state, position, found, number, time)

    def _event(
        self, state: BatchState, position: int, found: ProducerRecord, number: int, time: str
    ) -> ProducerRecord:
        """Return a response with its attributes; an error, if it is too large with them."""
        event = state.events.get(position)
        context = None if event is None else event.context
        record = state.batch.records[position]
        attributes = Attributes(self.stream, f"{record.position}:{number}", time, context)
        written = attributes.add_to(found)
        limit = self.writer.limits.of(self.writer.predictions)
        if fits(written, limit):
            return written
        if not is_prediction(found):
            return found
        request_id, model = state.ids()[position] or "", model_of(found)[0]
        reason = AnswerTooLarge(record_size(written), limit)
        error = self.writer.error(state.batch, position, request_id, reason, model)
        if error.topic != self.writer.predictions:
            return error
        return attributes.add_to(error)


def model_of(prediction: ProducerRecord) -> tuple[str, str]:
    """Return the model and the version that a prediction's second header names."""
    name, _, version = (prediction.headers[1][1] or b"").decode().rpartition("/")
    return name, version
