"""Faults injected into a worker in this process; each counts how often it occurred."""

from collections import Counter

from confluent_kafka import KafkaError, KafkaException

from modstream.broker.client.consumer import GroupConsumer
from modstream.broker.client.produce import produce_record
from modstream.broker.errors import ProducerLost

HIT_EVERY = 7
INJECTED_ERROR = KafkaError(KafkaError.UNKNOWN, "injected", txn_requires_abort=True)


class FaultCounts(Counter):
    """The number of hits of each kind of fault."""

    def is_due(self, kind: str) -> bool:
        """Count an opportunity for this kind of fault; every seventh is a hit."""
        self[f"chances of {kind}"] += 1
        due = self[f"chances of {kind}"] % HIT_EVERY == 0
        self[kind] += due
        return due

    @property
    def total(self) -> int:
        return sum(n for kind, n in self.items() if not kind.startswith("chances of "))


class AbortingDelivery:
    """Exactly-once delivery that aborts every seventh transaction after writing its records."""

    def __init__(self, deliver, hits):
        self._deliver = deliver
        self._hits = hits

    def __call__(self, records, batch):
        if not self._hits.is_due("abort"):
            self._deliver(records, batch)
            return
        with self._deliver._producers[0].transaction() as producer:
            for record in records:
                produce_record(producer, record)
            producer.flush()
            raise KafkaException(INJECTED_ERROR)

    def close(self):
        self._deliver.close()


class RejectedDelivery:
    """Delivery that sends every seventh batch to a topic that rejects its records as too large."""

    def __init__(self, deliver, hits, topic):
        self._deliver = deliver
        self._hits = hits
        self._topic = topic

    def __call__(self, records, batch):
        if self._hits.is_due("rejection"):
            records = [record._replace(topic=self._topic) for record in records]
        self._deliver(records, batch)

    def close(self):
        self._deliver.close()


class CrashingConsumer(GroupConsumer):
    """Consumer that fails directly after every seventh commit of offsets, as if killed."""

    def __init__(self, *arguments, hits):
        super().__init__(*arguments)
        self._hits = hits

    def commit(self, offsets):
        super().commit(offsets)
        if self._hits.is_due("crash"):
            raise ProducerLost("injected")
