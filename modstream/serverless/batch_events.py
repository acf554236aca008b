"""Events with records of Kafka or messages of SQS, and the results that Lambda expects of them.

Lambda retries what the result names, if the event source mapping has `ReportBatchItemFailures`:
messages of SQS by their id, and each partition of Kafka from an offset on. Sources:
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html and
https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html.
"""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from modstream.broker.errors import DecodeError, NotJson
from modstream.broker.wire.event_requests import EventRequest, open_event
from modstream.broker.wire.identifiers import usable_id
from modstream.broker.wire.record_batch import parse_headers
from modstream.broker.wire.records import Headers, Record
from modstream.errors import UnknownEvent
from modstream.serverless.answers import Answer, Asked

KAFKA_SOURCES = ("aws:kafka", "SelfManagedKafka")
SQS_SOURCE = "aws:sqs"
MAX_MS = 2**63 - 1
MALFORMED = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
"""What reading an event raises that does not have its documented form."""


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One record of an event.

    `identifier` is what the result calls it by. Records of one `sequence` are retried from the
    first failed one on; None stands for a record that is retried alone.
    """

    asked: Asked
    identifier: str | dict[str, Any]
    sequence: str | None


def read_kafka_event(event: Mapping[str, Any]) -> list[BatchItem]:
    """Read the records of an event of MSK or of a self-managed Kafka.

    Raises:
        UnknownEvent: a part of the event does not have its documented form.
    """
    try:
        return [
            _kafka_item(str(partition), record)
            for partition, records in event["records"].items()
            for record in records
        ]
    except MALFORMED as error:
        raise UnknownEvent("a Kafka event", _reason(error)) from None


def _kafka_item(partition: str, record: Mapping[str, Any]) -> BatchItem:
    topic, number, offset = str(record["topic"]), int(record["partition"]), int(record["offset"])
    value, fault = _decode(record.get("value"))
    key, _ = _decode(record.get("key"))
    headers = tuple(
        (str(name), bytes(byte & 0xFF for byte in content))  # bytes of Java are signed
        for header in record.get("headers") or ()
        for name, content in header.items()
    )
    timestamp = int(record.get("timestamp") or 0)
    read = Record(topic, number, offset, key, value, headers, timestamp)
    identifier = {"partition": partition, "offset": offset}
    asked = Asked(read, usable_id(read.position), fault)
    if fault is None and (event := parse_headers(headers).event) is not None:
        asked = asked_by_record(asked, open_event(read, event))
    return BatchItem(asked, identifier, partition)


def asked_by_record(asked: Asked, event: EventRequest) -> Asked:
    """Return the request of a record that is a CloudEvent."""
    default_id = asked.default_id if event.context is None else event.context.request_id
    return replace(asked, default_id=default_id, fault=event.error, event=event)


def read_sqs_event(event: Mapping[str, Any]) -> list[BatchItem]:
    """Read the messages of an SQS event; those of a FIFO queue are one sequence.

    Raises:
        UnknownEvent: a part of the event does not have its documented form.
    """
    try:
        return [_sqs_item(message) for message in event["Records"]]
    except MALFORMED as error:
        raise UnknownEvent("an SQS event", _reason(error)) from None


def _sqs_item(message: Mapping[str, Any]) -> BatchItem:
    identifier, queue = str(message["messageId"]), str(message["eventSourceARN"]).split(":")[-1]
    attributes = message.get("messageAttributes") or {}
    headers: Headers = tuple(
        (str(name), str(value["stringValue"]).encode(errors="replace"))
        for name, value in attributes.items()
        if value.get("stringValue") is not None
    )
    sent = str((message.get("attributes") or {}).get("SentTimestamp", "0"))
    timestamp = min(int(sent), MAX_MS)
    body = str(message["body"]).encode(errors="replace")
    record = Record(queue, 0, 0, None, body, headers, timestamp)
    sequence = queue if queue.endswith(".fifo") else None
    return BatchItem(Asked(record, usable_id(identifier)), identifier, sequence)


def _decode(text: str | None) -> tuple[bytes | None, DecodeError | None]:
    """Return the bytes of a text in base64, or the reason why it is none."""
    if text is None:
        return None, None
    try:
        return b64decode(text, validate=True), None
    except (ValueError, TypeError):
        return None, NotJson("the event does not have it in base64")


def _reason(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)


def split_answered(
    items: Sequence[BatchItem], answers: Sequence[Answer]
) -> tuple[list[tuple[BatchItem, Answer]], list[BatchItem]]:
    """Return the items that are answered now, and the failed ones that have to be retried.

    In a sequence, all after a failed item are delivered again, so they are not answered now.
    """
    answered: list[tuple[BatchItem, Answer]] = []
    failed: list[BatchItem] = []
    broken: set[str] = set()
    for item, answer in zip(items, answers, strict=True):
        if item.sequence in broken or answer.is_temporary:
            failed.append(item)
            if item.sequence is not None:
                broken.add(item.sequence)
        else:
            answered.append((item, answer))
    return answered, failed


def failures(items: Sequence[BatchItem]) -> dict[str, Any]:
    """Return the part of the result that says what Lambda retries.

    Of a partition of Kafka only the first failed record is named, from which Lambda resumes.
    """
    by_sequence = {item.sequence: item for item in reversed(items)}
    is_kafka = any(isinstance(item.identifier, dict) for item in items)
    named = list(by_sequence.values())[::-1] if is_kafka else items
    return {"batchItemFailures": [{"itemIdentifier": item.identifier} for item in named]}
