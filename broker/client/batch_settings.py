"""The settings of batches; this module imports no Kafka client."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """The limits of a batch. All times are in seconds.

    `linger` must stay below 0.2 s: for longer timeouts, `Consumer.consume` has changed its
    behaviour twice (https://github.com/confluentinc/confluent-kafka-python/issues/2205).
    """

    max_records: int = 10_000
    """Maximum number of records."""
    max_seconds: float = 0.1
    """Maximum expected time of handling a batch."""
    linger: float = 0.0
    """How long a batch waits for more records after its first one, below 0.2 s. No linger is
    usually best, because records accumulate while the previous batch is handled."""
    poll_timeout: float = 0.2
    """Maximum wait for a first record."""
