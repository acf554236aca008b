"""Where the prediction of a label is, and labels that were sent to another partition. Pure.

A worker answers with the key of the request, or with its id if it has no key, and partitions by
murmur2. So the key of a label names the partition of its prediction, whatever partitioner the
label's sender uses: CRC32 (librdkafka's default), FNV-1a (sarama's), round robin.
"""

from modstream.broker.wire.partitioner import partition_for_key
from modstream.broker.wire.record_limits import RecordLimits
from modstream.broker.wire.record_size import MAX_KEY_BYTES, bounded_headers, fits
from modstream.broker.wire.records import ProducerRecord, Record
from modstream.broker.wire.topics import Header
from modstream.processors.join.entry import FirstPosition

MAX_DIGITS = 18
"""Maximum number of digits of a partition or an offset in a header."""


class LabelRouter:
    """Forwards labels that arrived in partition `number` of a topic and belong in another one.

    A label is forwarded at most once: the header `FORWARDED_FROM` marks the copy. A label whose
    copy would be larger than its topic takes by `limits` is not forwarded, and with a single
    partition none is.
    """

    def __init__(self, number: int, partitions: int, limits: RecordLimits) -> None:
        self._number = number
        self._partitions = partitions
        self._limits = limits

    def copy_for_home(self, record: Record, request_id: str) -> ProducerRecord | None:
        """Return the copy that is sent to the label's partition; None if the label stays here."""
        if self._partitions == 1 or record.header(Header.FORWARDED_FROM) is not None:
            return None
        key = request_id.encode() if record.key is None else record.key
        if len(key) > MAX_KEY_BYTES or partition_for_key(key, self._partitions) == self._number:
            return None
        origin = (Header.FORWARDED_FROM.value, record.position.encode())
        headers = (*bounded_headers(record.headers), origin)
        copy = ProducerRecord(record.topic, key, record.value, headers, record.timestamp)
        return copy if fits(copy, self._limits.of(record.topic)) else None


def origin_of(record: Record) -> FirstPosition | None:
    """Return the first position of a forwarded label; None for any other one.

    Any client can write the header. A value that is not a position is read as None.
    """
    value = record.header(Header.FORWARDED_FROM) if record.headers else None
    parts = (value or b"").rsplit(b":", 2)
    if len(parts) < 3 or not all(one.isdigit() and len(one) <= MAX_DIGITS for one in parts[1:]):
        return None
    return FirstPosition(int(parts[1]), int(parts[2]))
