"""Deletion of the oldest records of topics."""

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from modstream.broker.client.connection import Connection, client_config
from modstream.broker.client.conversions import to_kafka_offsets
from modstream.broker.errors import BrokerUnavailable
from modstream.broker.wire.records import Offsets

TIMEOUT_S = 15.0


def truncate(connection: Connection, ends: Offsets) -> None:
    """Delete the records of partitions below some offsets, for good. It can be repeated.

    Raises:
        BrokerError: the cluster refused, for example because a topic is compacted.
        BrokerUnavailable: no broker responded in time.
    """
    if not ends:
        return
    client = AdminClient(client_config(connection, "modstream-truncation"))
    for future in client.delete_records(to_kafka_offsets(ends)).values():
        try:
            future.result(TIMEOUT_S)
        except KafkaException as error:
            raise connection.translate(error) from error
        except TimeoutError as error:
            reason = f"no answer within {TIMEOUT_S:g} s"
            raise BrokerUnavailable(connection.bootstrap, reason) from error
