"""The broker's errors.

BrokerError
├── DecodeError            the bytes do not follow their contract
│   ├── NotJson
│   ├── ContractViolated
│   └── RecordTooLarge
├── BrokerUnavailable      no broker responds at the bootstrap servers
├── TopicMissing
├── TopicRefused           the cluster did not create a topic as specified
├── TransactionOpen        a transaction stays open, so the committed content of a topic is unknown
├── DeliveryFailed         a record was not acknowledged
│   └── DeliveryPending    records are not acknowledged yet
├── TransactionAborted     no record of the batch is visible; rewind and try again
└── ProducerLost           fenced, fatal or of unknown outcome; only a new producer can continue
"""


class BrokerError(Exception):
    """Base class of all errors of the message broker and its clients."""


class DecodeError(BrokerError):
    """A record's bytes do not follow their contract; `code` is stable, for programs.

    `request_id` is set if the id could be read nevertheless.
    """

    code = "undecodable"
    request_id: str | None = None


class NotJson(DecodeError):
    """The value is not a JSON document."""

    code = "not_json"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the value is not JSON: {reason}")


class ContractViolated(DecodeError):
    """The value is JSON, but not the message that its topic carries."""

    code = "contract_violated"

    def __init__(self, contract: str, reason: str, request_id: str | None = None) -> None:
        super().__init__(f"not a valid {contract}: {reason}")
        self.request_id = request_id


class RecordTooLarge(DecodeError):
    """The value is larger than this stream accepts."""

    code = "too_large"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"the value has {size:,} bytes, the limit is {limit:,}")


class BrokerUnavailable(BrokerError):
    """No broker responded in time."""

    def __init__(self, bootstrap: str, reason: str) -> None:
        super().__init__(f"no Kafka broker answers at {bootstrap}: {reason}")


class TopicMissing(BrokerError):
    """A required topic does not exist."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"topic {topic} does not exist; create it with: modstream topics create")
        self.topic = topic


class TopicRefused(BrokerError):
    """The cluster refused to create a topic."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(f"topic {topic} could not be created: {reason}")


class TransactionOpen(BrokerError):
    """A partition has records of which it is still unknown whether they will be committed."""

    def __init__(self, partition: str, seconds: float) -> None:
        super().__init__(
            f"a transaction on {partition} has been open for more than {seconds:g} s; "
            "try again later"
        )


class DeliveryFailed(BrokerError):
    """The client gave up on producing a record.

    With `is_rejected`, the record is certainly not in the topic. Without it, the record may be in
    the topic, and only its acknowledgement was lost.
    """

    def __init__(self, topic: str, reason: str, *, is_rejected: bool = False) -> None:
        super().__init__(f"a record for {topic} was not delivered: {reason}")
        self.is_rejected = is_rejected


class DeliveryPending(DeliveryFailed):
    """Records are still not acknowledged after the timeout, but the client has not given up."""


class TransactionAborted(BrokerError):
    """The transaction was rolled back; its records are invisible and its offsets uncommitted."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the transaction was aborted: {reason}")


class ProducerLost(BrokerError):
    """The producer may not be used again: it was fenced, or its last outcome is unknown."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the transactional producer is lost: {reason}")
