"""The settings of batches; this module imports no Kafka client."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """The limits of a batch: `max_records`, and `max_seconds` of expected handling time.

    After its first record, a batch takes the records that are available and those that arrive
    within `linger`. No linger is usually best, because records accumulate while the previous batch
    is handled. `poll_timeout` is the maximum wait for a first record. All times are in seconds.

    `linger` must stay below 0.2 s: for longer timeouts, `Consumer.consume` has changed its
    behaviour twice (https://github.com/confluentinc/confluent-kafka-python/issues/2205).
    """

    max_records: int = 10_000
    max_seconds: float = 0.1
    linger: float = 0.0
    poll_timeout: float = 0.2
