"""Errors that a consumer reports among its records, and after which it goes on by itself."""

from confluent_kafka import KafkaError

RETRIED_ERRORS = frozenset({KafkaError._AUTHENTICATION})
"""The login was accepted at the start, and a password or a token is being replaced: the client
tries again, as when a broker is away."""
UNUSED_GROUP = frozenset({KafkaError.GROUP_AUTHORIZATION_FAILED})
"""The login has no right to the group, which a client that joins none does not use."""
