"""Workers that are broken in ways that reviews miss."""

from contextlib import suppress

from confluent_kafka import KafkaException

from modstream.broker.client.consumer import GroupConsumer
from modstream.broker.errors import DeliveryFailed
from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Prediction
from modstream.broker.wire.records import next_offsets


class OffsetsFirst:
    """Commits the offsets before the answers are out."""

    def __init__(self, deliver, source):
        self._deliver = deliver
        self._source = source

    def __call__(self, outgoing, batch):
        self._source.commit(next_offsets(batch))
        self._deliver(outgoing, batch)

    def close(self):
        self._deliver.close()


class OffByOne:
    """Commits the offset of the last record instead of the next one."""

    def __init__(self, deliver):
        self._deliver = deliver

    def __call__(self, outgoing, batch):
        self._deliver(outgoing, [record._replace(offset=record.offset - 1) for record in batch])

    def close(self):
        self._deliver.close()


class Swallowing:
    """Commits a batch's offsets although its answers were not acknowledged."""

    def __init__(self, deliver, source):
        self._deliver = deliver
        self._source = source

    def __call__(self, outgoing, batch):
        try:
            self._deliver(outgoing, batch)
        except DeliveryFailed:
            self._source.commit(next_offsets(batch))

    def close(self):
        self._deliver.close()


class NeverRewinding(GroupConsumer):
    """Reads on after an abort."""

    def rewind(self, batch):
        pass


class DroppingOnRevoke(GroupConsumer):
    """Holds a batch back; on a revoke drops it, and commits how far it has read."""

    def __init__(self, *arguments, hits):
        super().__init__(*arguments)
        self._hits = hits
        self._held = []

    def poll(self, most):
        held, self._held = self._held, super().poll(most)
        return [record for record in held if record.home in self.owned]

    def _revoked(self, consumer, partitions):
        # The group may be past this generation already; then its commit fails and nothing is lost.
        with suppress(KafkaException):
            read = [place for place in consumer.position(partitions) if place.offset >= 0]
            if read:
                consumer.commit(offsets=read, asynchronous=False)
                lost = {place.partition for place in read}
                self._hits["dropped"] += sum(record.partition in lost for record in self._held)
        super()._revoked(consumer, partitions)


def reusing_ids(handle, hits):
    """Answer every second request of a batch with the id of the one before."""
    return taking_over("id", handle, hits)


def from_wrong_rows(handle, hits):
    """Answer every second request of a batch with the output of the row before."""
    return taking_over("outputs", handle, hits)


def taking_over(fact, handle, hits):
    """Give every second answer of a batch one fact of the answer before it."""

    def broken(batch):
        outgoing = list(handle(batch))
        answers = [n for n, one in enumerate(outgoing) if one.topic.endswith(".predictions")]
        for earlier, place in zip(answers[::2], answers[1::2], strict=False):
            before = decode(Prediction, outgoing[earlier].value)
            outgoing[place] = changed(outgoing[place], **{fact: getattr(before, fact)})
            hits["broken answers"] += 1
        return outgoing

    return broken


def changed(outgoing, **facts):
    prediction = decode(Prediction, outgoing.value)
    return outgoing._replace(value=encode(prediction.model_copy(update=facts)))
