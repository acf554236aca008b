"""The names of all topics and headers, with their meaning and retention."""

from dataclasses import dataclass, field
from enum import StrEnum

MS_PER_DAY = 24 * 3600 * 1000
VERSION_MARKER_DAYS = 90
"""Minimum retention of version markers. They outlive the predictions, so that the version of an
expired prediction is still known."""
MAX_RECORD_BYTES = 16 * 1024 * 1024
"""Maximum record size of our topics. It is far above the limit of a worker, so that a request that
is too large becomes a dead letter instead of failing in its producer."""


class Header(StrEnum):
    """Headers that modstream writes or reads; it ignores all others."""

    KIND = "modstream-kind"
    """The contract of a response: `prediction` or `error`."""
    MODEL = "modstream-model"
    """On a response: `name/version` of the model, so that consumers can filter without decoding. On
    feedback that was released from quarantine: the name of the model that should learn it."""
    DEADLINE = "deadline"
    """On a request: the time until which a response is useful, in ms since the epoch."""
    JSON_LENGTH = "inference-header-content-length"
    """On a request: the number of bytes of JSON, in decimal digits; raw tensors follow the JSON."""
    REDRIVE_OF = "modstream-redrive-of"
    """On a redriven request or released feedback: the position of the dead letter or quarantined
    record, as `topic:partition:offset`."""
    ATTEMPTS = "modstream-attempts"
    """The number of this attempt at the record, in decimal digits; 1 if the header is absent."""
    SENT_BACK_BY = "modstream-sent-back-by"
    """On a redriven request or released feedback: the name of the person who sent it back, if it
    is known."""
    SENT_BACK_REASON = "modstream-sent-back-reason"
    """On the same: why it was sent back, if a reason was given."""
    FORWARDED_FROM = "modstream-forwarded-from"
    """On the copy of a label, in the partition of its prediction: the position of the label, which
    was sent to another partition, as `topic:partition:offset`."""
    FEATURES_AT = "modstream-features-at"
    """On a prediction whose rows have features of the stream: the offset, in decimal digits, of the
    topic of features before which all records were counted, and none behind."""
    ORIGINAL = "modstream-original"
    """On a quarantined record: the value of the feedback record that was rejected."""
    ORIGINAL_SIZE = "modstream-original-size"
    """On a record whose value was cut because it was too large: the size of the whole value, in
    bytes and decimal digits."""
    ORIGINAL_SHA256 = "modstream-original-sha256"
    """On a record whose value was cut: the SHA-256 of the whole value, in hexadecimal digits."""
    ORIGINAL_POSITION = "modstream-original-position"
    """On a record whose value was cut: the position of the record with the whole value, as
    `topic:partition:offset`."""
    ILLEGIBLE = "modstream-illegible-headers"
    """In place of a record's headers that are illegible, because a name is not UTF-8. Such headers
    count as absent."""
    LABEL_TRACE = "modstream-label-traceparent"
    """On a joined label, beside the header `traceparent` of its request: that of the label's own
    record. Both are there only if they are sampled."""
    SEALED_FOR = "modstream-sealed-for"
    """On a dead letter whose value is sealed, as it may have personal data, and on the request that
    is redriven from it: the person whose key opens it."""
    SKIPPED = "modstream-skipped"
    """On the dead letter of offsets that are unreadable and were skipped: the first and the last
    one, as `first-last`. It has no value."""


PASS_THROUGH = frozenset(
    {"traceparent", "tracestate", "reply-to", Header.DEADLINE, "correlation-id", Header.ILLEGIBLE}
)
"""Request headers that are copied to the response, as far as they fit
(`modstream.broker.wire.record_size`)."""

CONNECT_ERROR_PREFIX = "__connect.errors."
"""The prefix of Kafka Connect's dead-letter headers (KIP-298)."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic to create; `config` has Kafka's own topic settings."""

    name: str
    partitions: int
    config: dict[str, str] = field(default_factory=dict)
    description: str = ""


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one stream. Installations that share a cluster have different prefixes."""

    stream: str
    prefix: str = ""

    def _topic_name(self, suffix: str) -> str:
        return f"{self.prefix}{self.stream}.{suffix}"

    @property
    def requests(self) -> str:
        """Prediction requests. The client chooses the key, by default the request id."""
        return self._topic_name("requests")

    @property
    def predictions(self) -> str:
        """Responses: predictions and typed errors, with the key of the request."""
        return self._topic_name("predictions")

    @property
    def labels(self) -> str:
        """Delayed true labels, with the key of the request."""
        return self._topic_name("labels")

    @property
    def feedback(self) -> str:
        """Labels joined with their features and predictions, with the key of the request."""
        return self._topic_name("feedback")

    @property
    def unjoined(self) -> str:
        """Labels and predictions that were not joined, with the key of the request."""
        return self._topic_name("unjoined")

    @property
    def quarantine(self) -> str:
        """Feedback rows that the learner's guard rejected, with the key of the request."""
        return self._topic_name("quarantine")

    @property
    def dlq(self) -> str:
        """Dead letters: the original bytes of requests without a response, the cause in headers."""
        return self._topic_name("dlq")

    @property
    def metrics(self) -> str:
        """Prequential metrics per version, and counters of the joiner and the learner."""
        return self._topic_name("metrics")

    @property
    def version_markers(self) -> str:
        """The offsets from which each version responds, with the key of the request."""
        return self._topic_name("version-markers")

    @property
    def inferences(self) -> str:
        """The inference log: one record for each request, with the key of the request."""
        return self._topic_name("inferences")

    @property
    def features(self) -> str:
        """Partial aggregates of the stream's features, with their own keys; one partition."""
        return self._topic_name("features")

    @property
    def model_events(self) -> str:
        """Publications, promotions and rollbacks of all models. All streams share this topic."""
        return f"{self.prefix}model-events"

    def group(self, service: str) -> str:
        """Return the consumer group of one service (`worker`, `joiner`, ...) on this stream."""
        return f"{self.prefix}{self.stream}.{service}"

    def specs(
        self, partitions: int, retention_days: int = 7, log_days: int | None = None
    ) -> tuple[TopicSpec, ...]:
        """Return all topics of the stream to create, in the order that a request reaches them.

        Args:
            partitions: the number of partitions of the topics that have the keys of requests.
            retention_days: how long records are kept.
            log_days: how long the inference log is kept; None if the stream has none.
        """
        base = {
            "retention.ms": str(retention_days * MS_PER_DAY),
            "cleanup.policy": "delete",
            "max.message.bytes": str(MAX_RECORD_BYTES),
        }
        append_time = {**base, "message.timestamp.type": "LogAppendTime"}
        long_retention = {
            **base,
            "retention.ms": str(max(retention_days, VERSION_MARKER_DAYS) * MS_PER_DAY),
        }
        log_retention = {**append_time, "retention.ms": str((log_days or 1) * MS_PER_DAY)}
        log = TopicSpec(self.inferences, partitions, log_retention, "inference log")
        # A compacted topic keeps the newest event of each key forever.
        compacted = {"cleanup.policy": "compact", "max.message.bytes": str(MAX_RECORD_BYTES)}
        # Superseded values are kept as long as predictions, which name the offset that they saw.
        features = {**compacted, "min.compaction.lag.ms": base["retention.ms"]}
        return (
            TopicSpec(self.requests, partitions, base, "prediction requests"),
            TopicSpec(self.predictions, partitions, append_time, "predictions and typed errors"),
            TopicSpec(self.labels, partitions, base, "delayed labels"),
            TopicSpec(self.feedback, partitions, base, "labels joined with features"),
            TopicSpec(
                self.unjoined, partitions, base, "labels and predictions that were not joined"
            ),
            TopicSpec(self.quarantine, partitions, base, "feedback that the learner rejected"),
            TopicSpec(self.dlq, partitions, base, "requests without a response"),
            TopicSpec(self.metrics, 1, base, "prequential metrics and counters"),
            TopicSpec(
                self.version_markers,
                partitions,
                long_retention,
                "offsets from which versions respond",
            ),
            TopicSpec(self.features, 1, features, "partial aggregates of the stream's features"),
            *([] if log_days is None else [log]),
            TopicSpec(self.model_events, 1, compacted, "publications, promotions, rollbacks"),
        )
