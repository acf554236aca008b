"""A quick check whether a cluster answers, which writes no log."""

import logging
import re
from time import monotonic

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from modstream.broker.client.connection import Connection, client_config
from modstream.broker.errors import BrokerUnavailable, InvalidClientSettings, LoginRefused

PLACE = re.compile(r"^\S+/bootstrap: | \(after \d+ms in state \w+\)$")
"""What the client adds to a reason: the broker and the state of its connection."""
TLS_ALERT = re.compile(r"SSL routines::(?:ssl/tls |tlsv\d+ |sslv\d+ )?(alert [a-z ]+)")
"""How the client words the reason for which a broker ends a TLS handshake."""
REFUSALS = frozenset(
    {KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError.SASL_AUTHENTICATION_FAILED}
)
"""The errors of a login or a certificate that is not accepted."""
FIRST_TIMEOUT_S = 0.3
"""Timeout of the first attempt, after which the check ends if no broker accepts a connection."""


def list_topics(connection: Connection, timeout_seconds: float) -> frozenset[str]:
    """Return the names of all topics that this client may see.

    If every broker refuses the connection or the credentials, that is noticed at once.

    Raises:
        LoginRefused: the login, or the certificate of one of both, is not accepted.
        BrokerUnavailable: no broker answered within `timeout_seconds`.
        InvalidClientSettings: librdkafka does not know an option, or its value is invalid.
    """
    deadline = monotonic() + timeout_seconds
    errors: list[KafkaError] = []
    client = _create_client(connection, errors)
    timeout = min(FIRST_TIMEOUT_S, timeout_seconds)
    while True:
        try:
            return frozenset(client.list_topics(timeout=timeout).topics)
        except KafkaException as error:
            client.poll(0)  # Calls the callback for the errors of connections.
            timeout = deadline - monotonic()
            is_hopeless = any(one.code() == KafkaError._ALL_BROKERS_DOWN for one in errors)
            if is_hopeless or timeout <= 0:
                raise _outage(connection, errors, error) from error


def _create_client(connection: Connection, errors: list[KafkaError]) -> AdminClient:
    logger = logging.getLogger("modstream.silent")
    logger.disabled = True
    config = {
        **client_config(connection, "modstream-probe"),
        "error_cb": errors.append,
        "logger": logger,
    }
    try:
        return AdminClient(config)  # type: ignore[arg-type] # its stubs know plain values only
    except KafkaException as error:
        raise InvalidClientSettings(error.args[0].str()) from error


def _outage(
    connection: Connection, errors: list[KafkaError], error: KafkaException
) -> BrokerUnavailable:
    """Return the error for what a client has met, in the order in which it met it."""
    alert = next((found[1] for one in errors if (found := TLS_ALERT.search(one.str()))), None)
    if alert is not None:
        return LoginRefused(connection.bootstrap, f"the TLS handshake failed: {alert}")
    reason = _reason(errors, error)
    is_refused = any(one.code() in REFUSALS for one in (*errors, error.args[0]))
    return (LoginRefused if is_refused else BrokerUnavailable)(connection.bootstrap, reason)


def _reason(errors: list[KafkaError], error: KafkaException) -> str:
    """Return the first error that says more than that no broker answers."""
    hidden = {KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._TIMED_OUT}
    found = next((one for one in (*errors, error.args[0]) if one.code() not in hidden), None)
    if found is not None:
        return PLACE.sub("", found.str())
    return "connection refused" if errors else "no answer"
