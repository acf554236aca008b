"""Faults inside a worker, without a process to kill; each counts how often it hit."""

from collections import Counter

from confluent_kafka import KafkaError, KafkaException

from modstream.broker.client.consumer import GroupConsumer
from modstream.broker.client.delivery import produce
from modstream.broker.errors import ProducerLost

EVERY = 7
ON_PURPOSE = KafkaError(KafkaError.UNKNOWN, "on purpose", txn_requires_abort=True)


class Hits(Counter):
    """How often each kind of fault hit."""

    def is_due(self, kind: str) -> bool:
        """Count an opportunity of that kind; every seventh is a hit."""
        self[f"chances of {kind}"] += 1
        due = self[f"chances of {kind}"] % EVERY == 0
        self[kind] += due
        return due

    @property
    def total(self) -> int:
        return sum(n for kind, n in self.items() if not kind.startswith("chances of "))


class Aborting:
    """Exactly once; every seventh transaction is aborted when all of it has been written."""

    def __init__(self, deliver, hits):
        self._deliver = deliver
        self._hits = hits

    def __call__(self, outgoing, batch):
        if not self._hits.is_due("abort"):
            self._deliver(outgoing, batch)
            return
        with self._deliver._producers[0].transaction() as producer:
            for record in outgoing:
                produce(producer, record)
            producer.flush()
            raise KafkaException(ON_PURPOSE)

    def close(self):
        self._deliver.close()


class Refused:
    """Answers of every seventh batch go to a topic that is too narrow for any of them."""

    def __init__(self, deliver, hits, narrow):
        self._deliver = deliver
        self._hits = hits
        self._narrow = narrow

    def __call__(self, outgoing, batch):
        if self._hits.is_due("refusal"):
            outgoing = [record._replace(topic=self._narrow) for record in outgoing]
        self._deliver(outgoing, batch)

    def close(self):
        self._deliver.close()


class DyingConsumer(GroupConsumer):
    """Dies right after every seventh commit of offsets, as if killed there."""

    def __init__(self, *arguments, hits):
        super().__init__(*arguments)
        self._hits = hits

    def commit(self, offsets):
        super().commit(offsets)
        if self._hits.is_due("death"):
            raise ProducerLost("on purpose")
