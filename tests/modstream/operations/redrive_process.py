"""A redrive as a process of its own that kills itself in the middle of a transaction.

python redrive_process.py BOOTSTRAP PREFIX TRANSACTIONS
"""

import os
import signal
import sys

from modstream.broker.client.connection import Connection
from modstream.broker.client.delivery import produce
from modstream.broker.client.transactional_publisher import TransactionalPublisher
from modstream.broker.wire.topics import Topics
from modstream.operations.redrive import Redrive
from modstream.processors.redrive.selection import Choice

EACH = 10


class Doomed(TransactionalPublisher):
    """Commits some transactions; of the next, half lies with the brokers when it dies."""

    def __init__(self, connection, transactional_id, transactions):
        super().__init__(connection, transactional_id)
        self.left = transactions

    def publish(self, records):
        if self.left:
            self.left -= 1
            super().publish(records)
            return
        with self._producer.transaction() as producer:
            for record in records[: len(records) // 2]:
                produce(producer, record)
            producer.flush()
            os.kill(os.getpid(), signal.SIGKILL)


def main(bootstrap, prefix, transactions):
    connection, topics = Connection(bootstrap), Topics("flights", prefix)
    desk = Redrive(connection, topics, most_records=EACH)
    desk.run(Choice(), Doomed(connection, topics.group("redrive"), int(transactions)))


if __name__ == "__main__":
    main(*sys.argv[1:])
