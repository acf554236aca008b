"""Broken parts of a worker, with bugs that code reviews miss."""

from contextlib import suppress

from confluent_kafka import KafkaException

from modstream.broker.client.consumer import GroupConsumer
from modstream.broker.errors import DeliveryFailed
from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Prediction
from modstream.broker.wire.records import next_offsets


class OffsetsFirstDelivery:
    """Commits the offsets before it delivers the responses."""

    def __init__(self, deliver, source):
        self._deliver = deliver
        self._source = source

    def __call__(self, records, batch):
        self._source.commit(next_offsets(batch))
        self._deliver(records, batch)

    def close(self):
        self._deliver.close()


class OffByOneDelivery:
    """Commits the offset of the last record instead of the next one."""

    def __init__(self, deliver):
        self._deliver = deliver

    def __call__(self, records, batch):
        self._deliver(records, [record._replace(offset=record.offset - 1) for record in batch])

    def close(self):
        self._deliver.close()


class ErrorSwallowingDelivery:
    """Commits a batch's offsets although its responses were not acknowledged."""

    def __init__(self, deliver, source):
        self._deliver = deliver
        self._source = source

    def __call__(self, records, batch):
        try:
            self._deliver(records, batch)
        except DeliveryFailed:
            self._source.commit(next_offsets(batch))

    def close(self):
        self._deliver.close()


class NonRewindingConsumer(GroupConsumer):
    """Does not rewind after an abort."""

    def rewind(self, batch):
        pass


class BatchDroppingConsumer(GroupConsumer):
    """Delays a batch; on a revoke it drops the batch, and commits the offsets it has read."""

    def __init__(self, *arguments, hits):
        super().__init__(*arguments)
        self._hits = hits
        self._held = []

    def poll(self, max_records=None):
        held, self._held = self._held, super().poll(max_records)
        return [record for record in held if record.topic_partition in self.owned]

    def _on_revoke(self, consumer, partitions):
        # In a newer generation of the group the commit fails, and nothing is lost.
        with suppress(KafkaException):
            read = [one for one in consumer.position(partitions) if one.offset >= 0]
            if read:
                consumer.commit(offsets=read, asynchronous=False)
                lost = {one.partition for one in read}
                self._hits["dropped"] += sum(record.partition in lost for record in self._held)
        super()._on_revoke(consumer, partitions)


def reuse_previous_id(handle, hits):
    """Give every second response of a batch the id of the response before it."""
    return copy_from_previous("id", handle, hits)


def use_previous_outputs(handle, hits):
    """Give every second response of a batch the outputs of the response before it."""
    return copy_from_previous("outputs", handle, hits)


def copy_from_previous(name, handle, hits):
    """Copy one field to every second response of a batch, from the response before it."""

    def broken(batch):
        result = handle(batch)
        records = list(result.records)
        responses = [n for n, one in enumerate(records) if one.topic.endswith(".predictions")]
        for earlier, later in zip(responses[::2], responses[1::2], strict=False):
            previous = decode(Prediction, records[earlier].value)
            records[later] = with_changes(records[later], **{name: getattr(previous, name)})
            hits["broken responses"] += 1
        return result._replace(records=records)

    return broken


def with_changes(record, **changes):
    prediction = decode(Prediction, record.value)
    return record._replace(value=encode(prediction.model_copy(update=changes)))
