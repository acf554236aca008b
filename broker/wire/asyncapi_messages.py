"""The messages and topics of the AsyncAPI document: what their contracts do not say."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from modstream.broker.wire.cloud_events import CAUSATION, COPIED, KAFKA_PREFIX, REQUIRED
from modstream.broker.wire.json_schemas import Schema
from modstream.broker.wire.topics import CONNECT_ERROR_PREFIX, Header

ERROR_PARTS = (
    *("topic", "partition", "offset", "stage", "class.name"),
    *("exception.class.name", "exception.message"),
)
"""The headers of a dead letter's cause, without their prefix."""

TEXT = {"type": "string"}
DIGITS = {"type": "string", "pattern": "^[0-9]+$"}
POSITION = {"type": "string", "description": "A position as `topic:partition:offset`."}
PASSED = {
    "reply-to": {**TEXT, "description": "Copied to every answer."},
    "correlation-id": {**TEXT, "description": "Copied to every answer."},
    "traceparent": {**TEXT, "description": "W3C trace context; copied to every answer."},
    "tracestate": {**TEXT, "description": "W3C trace context; copied to every answer."},
    Header.DEADLINE.value: {
        **DIGITS,
        "description": "Until when an answer is useful, in ms since the epoch; copied to it.",
    },
}
ILLEGIBLE = {Header.ILLEGIBLE.value: {"description": "In place of headers that are not UTF-8."}}
REDRIVE = {
    Header.REDRIVE_OF.value: {**POSITION, "description": "The record that is sent again."},
    Header.ATTEMPTS.value: {**DIGITS, "description": "The number of this attempt; 1 if absent."},
    Header.SENT_BACK_BY.value: {**TEXT, "description": "The person who sent the record back."},
    Header.SENT_BACK_REASON.value: {**TEXT, "description": "Why the record was sent back."},
}
CUT = {
    Header.ORIGINAL_SIZE.value: {**DIGITS, "description": "The size of a value that was cut."},
    Header.ORIGINAL_SHA256.value: {**TEXT, "description": "The SHA-256 of a value that was cut."},
    Header.ORIGINAL_POSITION.value: {**POSITION, "description": "Where the whole value is."},
}
EVENT = {
    KAFKA_PREFIX + name: {**TEXT, "description": f"The attribute `{name}` of a CloudEvent."}
    for name in (*REQUIRED, "time", *COPIED)
}
ANSWER = {
    **PASSED,
    **ILLEGIBLE,
    **EVENT,
    KAFKA_PREFIX + CAUSATION: {**TEXT, "description": "The id of the CloudEvent answered."},
}


def _kind(name: str) -> Schema:
    return {Header.KIND.value: {"type": "string", "const": name}}


MODEL = {Header.MODEL.value: {**TEXT, "description": "`name/version` of the model."}}
FEATURES_AT = {
    Header.FEATURES_AT.value: {
        **DIGITS,
        "description": "The offset of the topic of features before which all was counted.",
    }
}


class MessageSpec(NamedTuple):
    """A message: its headers, those of them that it always has, and what it is in one sentence.

    `contract` is the name of its contract; None for a value that is not described.
    """

    contract: str | None
    headers: Mapping[str, Schema]
    required: Sequence[str] = ()
    summary: str = ""
    content_type: str = "application/json"


MESSAGES: Mapping[str, MessageSpec] = MappingProxyType(
    {
        "request": MessageSpec(
            "request",
            {
                **PASSED,
                **REDRIVE,
                Header.JSON_LENGTH.value: {
                    **DIGITS,
                    "description": "The number of bytes of JSON, if raw tensors follow it.",
                },
            },
            summary="A request for predictions.",
        ),
        "request-event": MessageSpec(
            None,
            {**PASSED, **EVENT, KAFKA_PREFIX + "specversion": {"type": "string", "const": "1.0"}},
            [KAFKA_PREFIX + name for name in REQUIRED],
            "A CloudEvent in binary mode: its data are a row, or a request whose id may lack.",
        ),
        "prediction": MessageSpec(
            "prediction",
            {**_kind("prediction"), **MODEL, **FEATURES_AT, **ANSWER},
            [Header.KIND.value, Header.MODEL.value],
            "The answer of one model.",
        ),
        "error": MessageSpec(
            "error",
            {**_kind("error"), **ANSWER},
            [Header.KIND.value],
            "The answer if there is none.",
        ),
        "label": MessageSpec(
            "label",
            {
                Header.FORWARDED_FROM.value: {
                    **POSITION,
                    "description": "Only on a copy: its label.",
                }
            },
            summary="The true value of an earlier request.",
        ),
        "feedback": MessageSpec(
            "feedback",
            {
                **MODEL,
                **REDRIVE,
                "traceparent": {**TEXT, "description": "That of the request, if it is sampled."},
                Header.LABEL_TRACE.value: {**TEXT, "description": "That of the label, likewise."},
            },
            summary="A label with the predictions of its row.",
        ),
        "unjoined": MessageSpec("unjoined", {}, summary="A label or prediction without a partner."),
        "quarantined": MessageSpec(
            "quarantined",
            {
                Header.ORIGINAL.value: {"description": "The value of the feedback."},
                **REDRIVE,
                **CUT,
            },
            [Header.ORIGINAL.value],
            "Feedback that the guard of a learner rejected.",
        ),
        "dead-letter": MessageSpec(
            None,
            {CONNECT_ERROR_PREFIX + part: TEXT for part in ERROR_PARTS}
            | {Header.SKIPPED.value: {**TEXT, "description": "Unreadable offsets, `first-last`."}}
            | {Header.SEALED_FOR.value: {**TEXT, "description": "Whose key opens the value."}}
            | {**ILLEGIBLE, **REDRIVE, **CUT},
            [CONNECT_ERROR_PREFIX + part for part in ERROR_PARTS],
            "A record that could not be handled, its bytes untouched or sealed; headers say why.",
            "application/octet-stream",
        ),
        "metrics": MessageSpec("metrics", {}, summary="Metrics of one component."),
        "version-marker": MessageSpec(
            "version-marker", {}, summary="From where a version answers."
        ),
        "inference": MessageSpec("inference", {}, summary="What became of one request."),
        "feature-update": MessageSpec(
            None,
            {},
            summary="A partial aggregate of the stream's features, or how far events are counted.",
            content_type="application/msgpack",
        ),
        "model-event": MessageSpec("model-event", {}, summary="A change of a model."),
    }
)


class ChannelSpec(NamedTuple):
    """A topic: the property of `Topics` that names it, its messages, and who writes it."""

    topic: str
    messages: Sequence[str]
    is_received: bool = False


CHANNELS: Sequence[ChannelSpec] = (
    ChannelSpec("requests", ("request", "request-event"), is_received=True),
    ChannelSpec("predictions", ("prediction", "error")),
    ChannelSpec("labels", ("label",), is_received=True),
    ChannelSpec("feedback", ("feedback",)),
    ChannelSpec("unjoined", ("unjoined",)),
    ChannelSpec("quarantine", ("quarantined",)),
    ChannelSpec("dlq", ("dead-letter",)),
    ChannelSpec("metrics", ("metrics",)),
    ChannelSpec("version_markers", ("version-marker",)),
    ChannelSpec("features", ("feature-update",)),
    ChannelSpec("inferences", ("inference",)),
    ChannelSpec("model_events", ("model-event",)),
)
