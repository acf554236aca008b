"""The broker's errors.

BrokerError
├── DecodeError            the bytes are not the contract they should be
│   ├── NotJson
│   ├── ContractViolated
│   └── RecordTooLarge
├── BrokerUnavailable      nobody answers at the bootstrap servers
├── TopicMissing
├── TopicRefused           the cluster would not create a topic as described
├── Undecided              a transaction stays open, so nobody knows yet what a topic holds
├── DeliveryFailed         a record was not acknowledged
├── TransactionAborted     nothing of the batch is visible; rewind and try again
└── ProducerLost           fenced, fatal or indefinite: only a new producer may go on
"""


class BrokerError(Exception):
    """Anything that goes wrong between us and the message broker."""


class DecodeError(BrokerError):
    """A record's bytes do not follow their contract; `code` is stable, for programs.

    `request_id` is told where one is legible all the same.
    """

    code = "undecodable"
    request_id: str | None = None


class NotJson(DecodeError):
    """The value is no JSON document."""

    code = "not_json"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the value is not JSON: {reason}")


class ContractViolated(DecodeError):
    """The value is JSON, yet not the message its topic carries."""

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
    """No broker answered in time."""

    def __init__(self, bootstrap: str, reason: str) -> None:
        super().__init__(f"no Kafka broker answers at {bootstrap}: {reason}")


class TopicMissing(BrokerError):
    """A topic that is needed does not exist."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"topic {topic} does not exist; create it with: modstream topics create")
        self.topic = topic


class TopicRefused(BrokerError):
    """The cluster refused to create a topic."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(f"topic {topic} could not be created: {reason}")


class Undecided(BrokerError):
    """Records lie in a partition of which nobody can say yet whether they are committed."""

    def __init__(self, home: str, seconds: float) -> None:
        super().__init__(
            f"a transaction on {home} has been open for more than {seconds:g} s; try again later"
        )


class DeliveryFailed(BrokerError):
    """A produced record was given up by the client.

    `refused` tells that it surely does not lie in the topic; otherwise it may lie there all the
    same, and only its acknowledgement was lost.
    """

    def __init__(self, topic: str, reason: str, *, refused: bool = False) -> None:
        super().__init__(f"a record for {topic} was not delivered: {reason}")
        self.refused = refused


class DeliveryPending(DeliveryFailed):
    """Records are still on their way after the time that they were given."""


class TransactionAborted(BrokerError):
    """The transaction was rolled back; its records are invisible and its offsets uncommitted."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the transaction was aborted: {reason}")


class ProducerLost(BrokerError):
    """The producer may not be used again: it was fenced, or its last outcome is unknown."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the transactional producer is lost: {reason}")
