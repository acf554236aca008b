"""Transactions of one transactional id, and the handling of their errors."""

import logging
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from enum import Enum
from threading import Thread
from typing import Any, Self

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from modstream.broker.client.connection import MAX_BATCH_BYTES, Connection, transactional_config
from modstream.broker.errors import (
    BrokerUnavailable,
    ProducerLost,
    RecordsOversize,
    TransactionAborted,
)

CONNECT_FAILURE = re.compile(r"in state (TRY_CONNECT|CONNECT|APIVERSION_QUERY)\b")
"""Matches the client's log of a connection that failed before it was established."""

CALL_TIMEOUT_S = 10.0
"""Timeout of one call to a coordinator, which aborts a transaction by itself after 15 s."""
CALL_GRACE_S = 1.0
"""Additional time for a call to return at its own timeout."""
SIZE_ERRORS = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
"""Errors of a record, or a batch of records, that is larger than its topic takes."""


class ErrorAction(Enum):
    """The required action after an error of a transactional call."""

    RETRY = "repeat the call"
    ABORT = "abort, rewind, and process the batch again"
    REPLACE = "open a new producer"


def classify_error(error: KafkaError) -> ErrorAction:
    """Return the required action after an error; unknown errors are treated as fatal.

    Source: librdkafka INTRODUCTION.md, "Transactional Producer", error handling.
    """
    if error.fatal():
        return ErrorAction.REPLACE
    # A record above the client's own limit is refused before it enters the transaction.
    if error.txn_requires_abort() or error.code() in SIZE_ERRORS:
        return ErrorAction.ABORT
    # The outcome of a timeout is unknown: a delayed EndTxn can still tear the transaction
    # (https://jepsen.io/analyses/bufstream-0.1.0), so the producer may not be used again.
    if error.retriable() and error.code() != KafkaError._TIMED_OUT:
        return ErrorAction.RETRY
    return ErrorAction.REPLACE


class TransactionalProducer:
    """Successive transactions of one transactional id, until a connection breaks.

    When a connection breaks, the client repeats the request in flight by itself. The network may
    still deliver the first request late, and a late commit would end the transaction that is open
    by then. So a producer that has detected a break `needs_replacement` and must not begin another
    transaction. The replacement's epoch fences late requests (docs/adr/0008).

    Raises:
        BrokerError: no coordinator could be reached within 30 s.
    """

    def __init__(
        self,
        connection: Connection,
        transactional_id: str,
        max_batch_bytes: int = MAX_BATCH_BYTES,
    ) -> None:
        self._connection = connection
        self._id = transactional_id
        self._log = DisconnectDetector(logging.getLogger("librdkafka"))
        self._has_refused_records = False
        self._producer = open_transactional_producer(
            connection, transactional_id, self._log, max_batch_bytes
        )

    @property
    def needs_replacement(self) -> bool:
        """Whether a connection of this producer broke, or a broker has refused its records.

        After the latter, the client continues with the wrong sequence number.
        """
        self._producer.poll(0)  # Forwards the client's log.
        return self._log.has_disconnected or self._has_refused_records

    @contextmanager
    def transaction(self) -> Iterator[Producer]:
        """Begin a transaction, yield its producer, and commit at the end of the block.

        Raises:
            RecordsOversize: a record is larger than its topic takes; none is visible.
            TransactionAborted: no record of the transaction is visible; it may be repeated.
            ProducerLost: this producer is fenced, or the outcome is unknown.
        """
        try:
            self._producer.begin_transaction()
            yield self._producer
            retry_retriable(lambda: self._producer.commit_transaction(CALL_TIMEOUT_S))
        except KafkaException as error:
            self._has_refused_records |= error.args[0].code() in SIZE_ERRORS
            raise abort(self._producer, error) from error

    def open_replacement(self, max_batch_bytes: int = MAX_BATCH_BYTES) -> Self:
        """Open another producer with the same id, which fences all previous ones.

        Call it only where fencing a producer that another process opened since is acceptable.

        Raises:
            TransactionAborted: no coordinator responds. No transaction has begun; try again.
        """
        try:
            return type(self)(self._connection, self._id, max_batch_bytes)
        except BrokerUnavailable as error:
            raise TransactionAborted(str(error)) from error

    def close(self) -> None:
        """Close the producer; no record is pending between two transactions."""
        with suppress(KafkaException):  # A fenced producer has raised ProducerLost before.
            self._producer.flush(5)


class DisconnectDetector(logging.LoggerAdapter[logging.Logger]):
    """A log adapter that detects broken connections; librdkafka reports them reliably only there.

    The error callback omits connections that the broker has closed. The log has at least the first
    break of each broker's connection, and omits idle connections, which had no request in flight.
    """

    has_disconnected = False

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:  # noqa: ANN401
        """Handle one line: the arguments are its kind, the client's name, and the text."""
        self.has_disconnected |= args[:1] == ("FAIL",) and not CONNECT_FAILURE.search(str(args[-1]))
        super().log(level, msg, *args, **kwargs)


def open_transactional_producer(
    connection: Connection,
    transactional_id: str,
    log: DisconnectDetector | None = None,
    max_batch_bytes: int = MAX_BATCH_BYTES,
) -> Producer:
    """Open a transactional producer, which fences its predecessor and ends its open transaction.

    Raises:
        BrokerError: no coordinator could be reached within 30 s.
    """
    config = transactional_config(connection, transactional_id, max_batch_bytes)
    producer = Producer(config if log is None else {**config, "logger": log})
    try:
        producer.init_transactions(30)
    except KafkaException as error:
        raise connection.translate(error) from error
    return producer


def abort(producer: Producer, error: KafkaException) -> TransactionAborted | ProducerLost:
    """Abort a transaction after a call failed, and return the error to raise."""
    cause: KafkaError = error.args[0]
    if classify_error(cause) is not ErrorAction.ABORT:
        return ProducerLost(f"{cause.name()}: {cause.str()}")
    structlog.get_logger(__name__).warning("aborting transaction", cause=cause.str())
    try:
        retry_retriable(lambda: producer.abort_transaction(CALL_TIMEOUT_S))
    except KafkaException as worse:
        return ProducerLost(f"abort failed: {worse.args[0].str()}")
    kind = RecordsOversize if cause.code() in SIZE_ERRORS else TransactionAborted
    return kind(cause.str())


def retry_retriable(call: Callable[[], None]) -> None:
    """Make a transactional call; repeat it while its error is retriable. librdkafka backs off."""
    while True:
        try:
            call()
            return
        except KafkaException as error:
            if classify_error(error.args[0]) is not ErrorAction.RETRY:
                raise


def call_with_timeout(call: Callable[[], None]) -> None:
    """Make a call that may ignore its timeout, in a thread that is abandoned in that case.

    When a group's coordinator dies, `send_offsets_to_transaction` may wait forever for a new
    coordinator (docs/adr/0017).

    Raises:
        ProducerLost: the call has not returned in time.
    """
    ended: Future[None] = Future()

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - raised again by the waiting thread
            ended.set_exception(error)
        else:
            ended.set_result(None)

    Thread(target=run, name="coordinator", daemon=True).start()
    if not wait([ended], CALL_TIMEOUT_S + CALL_GRACE_S).done:
        raise ProducerLost(f"a call has ignored its timeout of {CALL_TIMEOUT_S:g} s")
    ended.result()
