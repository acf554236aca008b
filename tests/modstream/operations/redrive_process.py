"""A redrive as a separate process that kills itself within a transaction.

python redrive_process.py BOOTSTRAP PREFIX TRANSACTIONS
"""

import os
import signal
import sys

from modstream.broker.client.connection import Connection
from modstream.broker.client.produce import produce_record
from modstream.broker.client.transactional_publisher import TransactionalPublisher
from modstream.broker.wire.topics import Topics
from modstream.operations.redrive import Redrive, dead_letters
from modstream.processors.redrive.selection import LetterFilter

RECORDS_PER_TRANSACTION = 10


class KilledPublisher(TransactionalPublisher):
    """Commits some transactions; is killed when half of the next one is at the broker."""

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
                produce_record(producer, record)
            producer.flush()
            os.kill(os.getpid(), signal.SIGKILL)


def main(bootstrap, prefix, transactions):
    connection, topics = Connection(bootstrap), Topics("flights", prefix)
    redrive = Redrive(connection, dead_letters(topics), max_records=RECORDS_PER_TRANSACTION)
    redrive.run(
        LetterFilter(), KilledPublisher(connection, topics.group("redrive"), int(transactions))
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
