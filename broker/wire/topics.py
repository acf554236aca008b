"""Every topic and header that crosses the wire, with its meaning and its lifetime."""

from dataclasses import dataclass, field
from enum import StrEnum

DAY_MS = 24 * 3600 * 1000
FENCE_DAYS = 90
"""How long fences are kept at least: they tell who answered when the answers are long gone."""
LARGEST_RECORD = 16 * 1024 * 1024
"""Bytes. Topics take records far above what a worker accepts, so that a record that is too
large is refused with a dead letter instead of vanishing in its producer."""


class Header(StrEnum):
    """Headers that modstream writes or reads; all others pass through untouched."""

    KIND = "modstream-kind"
    """`prediction` or `error`: which contract an answer follows."""
    MODEL = "modstream-model"
    """`name/version` of the model that answered, so that consumers can filter undecoded; on
    feedback that was released from quarantine, the name of the model that is to learn it."""
    DEADLINE = "deadline"
    """On a request: until when an answer is of use, ms since the epoch as decimal digits."""
    JSON_LENGTH = "inference-header-content-length"
    """On a request: how many of its bytes are JSON, in decimal digits; raw tensors follow."""
    REDRIVE_OF = "modstream-redrive-of"
    """`topic:partition:offset` of the dead letter, or of the quarantined record, that this request
    or feedback was made of again."""
    ATTEMPTS = "modstream-attempts"
    """Which attempt at this record this is, as decimal digits; without it, the first."""
    ORIGINAL = "modstream-original"
    """On a quarantined record: the value of the feedback record that was refused."""


PASS_THROUGH = frozenset(
    {"traceparent", "tracestate", "reply-to", Header.DEADLINE, "correlation-id"}
)
"""Request headers that travel on to the answer, besides those that start with `ce_`."""

CONNECT = "__connect.errors."
"""Prefix of Kafka Connect's dead-letter headers (KIP-298)."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it should be created; `config` are Kafka's own topic settings."""

    name: str
    partitions: int
    config: dict[str, str] = field(default_factory=dict)
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one stream. `prefix` separates installations that share a cluster."""

    stream: str
    prefix: str = ""

    def _named(self, suffix: str) -> str:
        return f"{self.prefix}{self.stream}.{suffix}"

    @property
    def requests(self) -> str:
        """Prediction requests; key: the client's, by default the request id."""
        return self._named("requests")

    @property
    def predictions(self) -> str:
        """Answers: predictions and typed errors; key: the request's."""
        return self._named("predictions")

    @property
    def labels(self) -> str:
        """True labels, late; key: the request's."""
        return self._named("labels")

    @property
    def feedback(self) -> str:
        """Labels joined with the features and predictions they belong to; key: the request's."""
        return self._named("feedback")

    @property
    def unjoined(self) -> str:
        """Labels and predictions that found no partner, with the reason; key: the request's."""
        return self._named("unjoined")

    @property
    def quarantine(self) -> str:
        """Feedback rows that the learner's guard refused, with the rule; key: the request's."""
        return self._named("quarantine")

    @property
    def dlq(self) -> str:
        """Requests that could not be answered at all: original bytes, cause in the headers."""
        return self._named("dlq")

    @property
    def metrics(self) -> str:
        """Prequential metrics per version and counters of joiner and learner."""
        return self._named("metrics")

    @property
    def fences(self) -> str:
        """From which offset on which version answers, by partition; key: the request's."""
        return self._named("fences")

    @property
    def model_events(self) -> str:
        """Publishes, promotions and rollbacks of every model; compacted, shared by all streams."""
        return f"{self.prefix}model-events"

    def group(self, role: str) -> str:
        """The consumer group of one role (`worker`, `joiner`, `learner`, ...) on this stream."""
        return f"{self.prefix}{self.stream}.{role}"

    def specs(self, partitions: int, retention_days: int = 7) -> tuple[TopicSpec, ...]:
        """All topics of the stream as they should be created, in the order a request meets them."""
        kept = {
            "retention.ms": str(retention_days * DAY_MS),
            "cleanup.policy": "delete",
            "max.message.bytes": str(LARGEST_RECORD),
        }
        appended = {**kept, "message.timestamp.type": "LogAppendTime"}
        outlasting = {**kept, "retention.ms": str(max(retention_days, FENCE_DAYS) * DAY_MS)}
        # A compacted topic keeps the newest event of each key for ever.
        compacted = {"cleanup.policy": "compact", "max.message.bytes": str(LARGEST_RECORD)}
        return (
            TopicSpec(self.requests, partitions, kept, "prediction requests"),
            TopicSpec(self.predictions, partitions, appended, "answers and typed errors"),
            TopicSpec(self.labels, partitions, kept, "late labels"),
            TopicSpec(self.feedback, partitions, kept, "labels joined with features"),
            TopicSpec(self.unjoined, partitions, kept, "labels and predictions without partner"),
            TopicSpec(self.quarantine, partitions, kept, "rows the learner refused"),
            TopicSpec(self.dlq, partitions, kept, "requests that could not be answered"),
            TopicSpec(self.metrics, 1, kept, "prequential metrics and counters"),
            TopicSpec(self.fences, partitions, outlasting, "where versions begin to answer"),
            TopicSpec(self.model_events, 1, compacted, "publishes, promotions, rollbacks"),
        )
