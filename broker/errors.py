"""The broker's errors.

BrokerError
├── DecodeError            the bytes do not follow their contract
│   ├── NotJson
│   ├── ContractViolated
│   ├── RecordTooLarge
│   ├── KeyTooLarge
│   ├── IllegibleHeaders
│   ├── OffsetsUnreadable  records could not be read at all, and were skipped
│   ├── SealBroken         sealed personal data cannot be opened any more
│   └── PersonalInTensors  personal features are in tensors, where they cannot be protected
├── InternalError          a record cannot be handled, for an unforeseen reason
│   ├── UnforeseenException
│   └── ProcessKilled      the process ended while it handled the record
├── BrokerUnavailable      no broker responds at the bootstrap servers
│   └── LoginRefused       the login, or the certificate of one of both, is not accepted
├── InvalidClientSettings  the client does not know an option, or its value is invalid
├── RightMissing           the login lacks a right
├── RightsRefused          the cluster did not grant rights
├── TopicMissing
├── TopicRefused           the cluster did not create a topic as specified
├── TransactionOpen        a transaction stays open, so the committed content of a topic is unknown
├── DeliveryFailed         a record was not acknowledged
│   ├── DeliveryPending    records are not acknowledged yet
│   └── OversizeRecord     a record is larger than its topic takes
├── TransactionAborted     no record of the batch is visible; rewind and try again
│   └── RecordsOversize    a record of the batch is larger than its topic takes
└── ProducerLost           fenced, fatal or of unknown outcome; only a new producer can continue
EndsProcess                a mark of errors of any room that no record is at fault for
"""

from collections.abc import Iterable


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


class InternalError(BrokerError):
    """A record cannot be handled, for an unforeseen reason; it becomes a dead letter.

    `exception` is the exception's type, or the way in which the process ended.
    """

    code = "internal_error"
    exception: str = "InternalError"


class UnforeseenException(InternalError):
    """Handling the record alone raises an exception; `place` is a digest of where it is raised."""

    def __init__(self, exception: str, place: str) -> None:
        super().__init__(f"an unforeseen {exception} was raised at place {place}")
        self.exception, self.place = exception, place


class ProcessKilled(InternalError):
    """The process ended while it handled the record; `cause` is how it ended, as far as known."""

    def __init__(self, times: int, cause: str) -> None:
        super().__init__(
            f"the process ended {times} times while handling this record, last: {cause}"
        )
        self.exception, self.times, self.cause = type(self).__qualname__, times, cause


class KeyTooLarge(DecodeError):
    """The key is larger than any key that is copied to a response."""

    code = "key_too_large"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"the key has {size:,} bytes, the limit is {limit:,}")


class IllegibleHeaders(DecodeError):
    """The headers are illegible, and without them the value is not a message of its topic."""

    code = "illegible_headers"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the headers are illegible, because a name is not UTF-8; without them, {reason}"
        )


class OffsetsUnreadable(DecodeError):
    """Records were skipped, because their batch can't be decompressed or is damaged."""

    code = "unreadable"

    def __init__(self, offsets: str) -> None:
        super().__init__(f"the offsets {offsets} could not be read and were skipped")


class SealBroken(DecodeError):
    """Sealed personal data cannot be opened: the key of the person was destroyed, or is another."""

    code = "personal_data_erased"

    def __init__(self, request_id: str | None = None) -> None:
        super().__init__("the sealed personal data cannot be opened: the person's key is destroyed")
        self.request_id = request_id


class PersonalInTensors(DecodeError):
    """A request has personal features in tensors, where they cannot be protected."""

    code = "personal_in_tensors"

    def __init__(self, names: Iterable[str], request_id: str | None = None) -> None:
        super().__init__(f"send {', '.join(names)} by name: personal data in tensors are refused")
        self.request_id = request_id


class BrokerUnavailable(BrokerError):
    """No broker responded in time."""

    def __init__(self, bootstrap: str, reason: str) -> None:
        super().__init__(f"no Kafka broker answers at {bootstrap}: {reason}")
        self.reason = reason


class LoginRefused(BrokerUnavailable):
    """The login, or the certificate of one of both, is not accepted."""

    def __init__(self, bootstrap: str, reason: str) -> None:
        super().__init__(bootstrap, reason)
        self.args = (f"the login to Kafka at {bootstrap} is refused: {reason}",)


class InvalidClientSettings(BrokerError):
    """The client does not know an option, or its value is invalid."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the Kafka client refuses its options (setting `kafka`): {reason}")


class RightMissing(BrokerError):
    """The login lacks a right; `what` says to do what."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"Kafka does not permit this login {what}:"
            " `modstream acls` prints the rights of each role"
        )


class RightsRefused(BrokerError):
    """The cluster did not grant rights."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Kafka did not grant the rights: {reason}")
        self.reason = reason


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


class OversizeRecord(DeliveryFailed):
    """A record is larger than its topic takes; it is certainly not in the topic."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(topic, reason, is_rejected=True)


class TransactionAborted(BrokerError):
    """The transaction was rolled back; its records are invisible and its offsets uncommitted."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the transaction was aborted: {reason}")


class RecordsOversize(TransactionAborted):
    """A record of the transaction is larger than its topic takes."""


class ProducerLost(BrokerError):
    """The producer may not be used again: it was fenced, or its last outcome is unknown."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the transactional producer is lost: {reason}")


class EndsProcess(Exception):
    """What handles records cannot go on; no record is at fault, and none is set aside."""
