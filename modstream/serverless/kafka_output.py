"""Answers in Kafka: as a worker writes them, in the topic of predictions of the settings' stream.

They are at least once: a record that is delivered again is answered again, under the same id.
"""

from collections.abc import Callable, Sequence
from time import time

from modstream.broker.client.publisher import Publisher
from modstream.broker.errors import InternalError
from modstream.broker.wire.cloud_events import format_time
from modstream.broker.wire.record_batch import RecordBatch, parse_all_headers
from modstream.broker.wire.records import ProducerRecord
from modstream.processors.predict.answer_events import Attributes
from modstream.processors.predict.engine import Inference
from modstream.processors.predict.refusals import last_resort_letter
from modstream.processors.predict.responses import ResponseWriter
from modstream.serverless.answers import Answer, Asked
from modstream.serverless.output import Output
from modstream.settings import Settings

FLUSH_SECONDS = 10.0
"""How long Kafka has to acknowledge the answers of one event."""


class KafkaOutput:
    """Writes predictions and typed errors; a request that broke the engine is a dead letter."""

    is_result = False

    def __init__(
        self,
        publisher: Publisher,
        writer: ResponseWriter,
        stream: str,
        now: Callable[[], float] = time,
    ) -> None:
        self._publisher, self._writer = publisher, writer
        self._stream, self._now = stream, now

    def publish(self, answers: Sequence[tuple[Asked, Answer]]) -> None:
        """Publish answers, and return when all of them are stored.

        Raises:
            BrokerError: some may not be stored.
        """
        records = [asked.record for asked, _ in answers]
        batch = RecordBatch(records, parse_all_headers(records), {}) if records else None
        for position, (asked, answer) in enumerate(answers):
            if batch is not None:
                self._publisher.send(self._write(batch, position, asked, answer))
        self._publisher.flush(FLUSH_SECONDS)

    def _write(
        self, batch: RecordBatch, position: int, asked: Asked, answer: Answer
    ) -> ProducerRecord:
        written = self._write_plain(batch, position, answer)
        if asked.event is None or written.topic != self._writer.predictions:
            return written
        event_id, moment = f"{asked.record.position}:0", format_time(self._now())
        return Attributes(self._stream, event_id, moment, asked.event.context).add_to(written)

    def _write_plain(self, batch: RecordBatch, position: int, answer: Answer) -> ProducerRecord:
        found, writer = answer.outcome, self._writer
        if isinstance(found, Inference):
            return writer.prediction(batch, position, found)
        if isinstance(found, InternalError):
            return last_resort_letter(writer, batch.records[position], found)
        return writer.error(batch, position, answer.request_id, found, answer.model)


def open_kafka(settings: Settings) -> Output:
    """Connect to the Kafka of the settings; the connection lasts as long as the container."""
    publisher = Publisher(settings.connection, "modstream-serverless")
    return KafkaOutput(publisher, ResponseWriter(settings.topics()), settings.stream)
