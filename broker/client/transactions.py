"""Transactions of one transactional id, and what their failures mean."""

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

from modstream.broker.client.connection import Connection, transactional_config
from modstream.broker.errors import BrokerUnavailable, ProducerLost, TransactionAborted

CONNECTING = re.compile(r"in state (TRY_CONNECT|CONNECT|APIVERSION_QUERY)\b")
"""How the client's log says that a connection failed before it was one."""

CALL = 10.0
"""Seconds for one call to a coordinator: after 15 s it would abort by itself."""
GRACE = 1.0
"""Seconds more for a call to keep its own timeout."""


class Verdict(Enum):
    """What a transactional call's failure asks for."""

    REPEAT = "the same call again"
    ABORT = "abort, rewind, read the batch again"
    LOST = "a new producer"


def verdict(error: KafkaError) -> Verdict:
    """Classify a failure; what we do not know is treated as fatal.

    Source: librdkafka INTRODUCTION.md, "Transactional Producer", error handling.
    """
    if error.fatal():
        return Verdict.LOST
    if error.txn_requires_abort():
        return Verdict.ABORT
    # A timeout leaves the outcome open: a delayed EndTxn could still tear the transaction
    # (https://jepsen.io/analyses/bufstream-0.1.0), so the producer may not be used again.
    if error.retriable() and error.code() != KafkaError._TIMED_OUT:
        return Verdict.REPEAT
    return Verdict.LOST


class TransactionalProducer:
    """Transactions of one id, one after the other, for as long as no connection breaks.

    When a connection breaks, the client by itself repeats the request that was on its way. The
    network may still deliver the first one, late, and a late commit would end the transaction that
    is open then. So a producer that has noticed a break `is_spent`: it shall begin no other
    transaction. A successor's epoch fences whatever is late (docs/adr/0008).

    Raises:
        BrokerError: no coordinator could be reached within 30 s.
    """

    def __init__(self, connection: Connection, transactional_id: str) -> None:
        self._connection = connection
        self._id = transactional_id
        self._log = Attentive(logging.getLogger("librdkafka"))
        self._producer = ready(connection, transactional_id, self._log)

    @property
    def is_spent(self) -> bool:
        """Whether a connection broke in this producer's life."""
        self._producer.poll(0)  # Hands over what the client has logged.
        return self._log.has_break

    @contextmanager
    def transaction(self) -> Iterator[Producer]:
        """Begin a transaction, lend its producer, and commit when the block ends.

        Raises:
            TransactionAborted: nothing of it is visible; it may be tried again.
            ProducerLost: this producer is fenced, or the outcome is unknown.
        """
        try:
            self._producer.begin_transaction()
            yield self._producer
            repeated(lambda: self._producer.commit_transaction(CALL))
        except KafkaException as error:
            raise given_up(self._producer, error) from error

    def successor(self) -> Self:
        """Another producer of the same id, which fences this one and all others of that id.

        For those only who may fence a successor that somebody else has opened meanwhile.

        Raises:
            TransactionAborted: no coordinator answers; nothing has begun, it may be tried again.
        """
        try:
            return type(self)(self._connection, self._id)
        except BrokerUnavailable as error:
            raise TransactionAborted(str(error)) from error

    def close(self) -> None:
        """Let go of the producer; nothing is pending between two transactions."""
        with suppress(KafkaException):  # Whoever was fenced has been told so already.
            self._producer.flush(5)


class Attentive(logging.LoggerAdapter[logging.Logger]):
    """A producer's log, in which it tells that a connection broke, and nowhere else reliably.

    Its error callback leaves a connection out that the other end has closed. Its log names each
    broker's first break at least, and leaves out those of idle connections, on which nothing was.
    """

    has_break = False

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:  # noqa: ANN401
        """Take one line: the arguments are its kind, the client's name, and the text."""
        self.has_break |= args[:1] == ("FAIL",) and not CONNECTING.search(str(args[-1]))
        super().log(level, msg, *args, **kwargs)


def ready(connection: Connection, transactional_id: str, log: Attentive | None = None) -> Producer:
    """A transactional producer that has fenced its predecessor and ended what that left open.

    Raises:
        BrokerError: no coordinator could be reached within 30 s.
    """
    config = transactional_config(connection, transactional_id)
    producer = Producer(config if log is None else {**config, "logger": log})
    try:
        producer.init_transactions(30)
    except KafkaException as error:
        raise connection.translated(error) from error
    return producer


def given_up(producer: Producer, error: KafkaException) -> TransactionAborted | ProducerLost:
    """End a transaction of which a call failed; returns what that means for its records."""
    cause: KafkaError = error.args[0]
    if verdict(cause) is not Verdict.ABORT:
        return ProducerLost(f"{cause.name()}: {cause.str()}")
    structlog.get_logger(__name__).warning("aborting transaction", cause=cause.str())
    try:
        repeated(lambda: producer.abort_transaction(CALL))
    except KafkaException as worse:
        return ProducerLost(f"abort failed: {worse.args[0].str()}")
    return TransactionAborted(cause.str())


def repeated(call: Callable[[], None]) -> None:
    """Make a transactional call, again while its failure is retriable; librdkafka backs off."""
    while True:
        try:
            call()
            return
        except KafkaException as error:
            if verdict(error.args[0]) is not Verdict.REPEAT:
                raise


def bounded(call: Callable[[], None]) -> None:
    """Make a call that is known to ignore its timeout, in a thread that is left behind if it does.

    When a group's coordinator dies, `send_offsets_to_transaction` may wait for ever for word of
    another one (docs/adr/0017).

    Raises:
        ProducerLost: it has not come back in time.
    """
    ended: Future[None] = Future()

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - it is raised again, by who waits for it
            ended.set_exception(error)
        else:
            ended.set_result(None)

    Thread(target=run, name="coordinator", daemon=True).start()
    if not wait([ended], CALL + GRACE).done:
        raise ProducerLost(f"a call has ignored its timeout of {CALL:g} s")
    ended.result()
