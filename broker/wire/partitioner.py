"""Kafka's default key partitioner, for the in-memory broker and for checks of the real clients.

Source: org.apache.kafka.common.utils.Utils.murmur2 and BuiltInPartitioner.partitionForKey.
"""

from struct import Struct

SEED = 0x9747B28C
MULTIPLIER = 0x5BD1E995
UINT32_MASK = 0xFFFFFFFF
WORD = Struct("<I")


def murmur2(data: bytes) -> int:
    """Return the 32-bit MurmurHash2 of some bytes with Kafka's seed, as an unsigned integer."""
    length = len(data)
    h = SEED ^ length
    whole = length - length % 4
    for (word,) in WORD.iter_unpack(data[:whole]):
        k = word * MULTIPLIER & UINT32_MASK
        k = (k ^ k >> 24) * MULTIPLIER & UINT32_MASK
        h = (h * MULTIPLIER & UINT32_MASK) ^ k
    tail = data[whole:]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * MULTIPLIER & UINT32_MASK
    h = (h ^ h >> 13) * MULTIPLIER & UINT32_MASK
    return h ^ h >> 15


def partition_for_key(key: bytes, partitions: int) -> int:
    """Return the partition of a key, as every client that partitions like Java's chooses it."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
