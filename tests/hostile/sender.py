"""Sends a corpus with aiokafka, and prints where each record was written.

Run as `python -m tests.hostile.sender BOOTSTRAP PREFIX SEED COUNT NOW`, where PREFIX is that of the
stream's topics. aiokafka's extension module refuses header names that are not UTF-8, so it must be
switched off before aiokafka is imported; this is why the sender is a process of its own.
"""

import asyncio
import os
import sys

os.environ["AIOKAFKA_NO_EXTENSIONS"] = "1"

from aiokafka import AIOKafkaProducer

from tests.hostile.corpus import HostileRecord, corpus

CODECS = (None, "gzip", "lz4", "zstd")
"""Compression by turns: a record is carried by the producer of its number modulo four."""
MAX_RECORD_BYTES = 16 * 1024 * 1024
IN_FLIGHT = 500


class RawName(str):
    """A header name that is sent as given bytes."""

    __slots__ = ("raw",)

    def encode(self, *_: object) -> bytes:
        """Return the bytes."""
        return self.raw


def header_name(name: str | bytes) -> str:
    """Return a name that aiokafka encodes as itself, or as the given bytes."""
    if isinstance(name, str):
        return name
    raw = RawName("raw")
    raw.raw = name
    return raw


async def send(bootstrap: str, prefix: str, seed: int, count: int, now: int) -> None:
    """Send all records; print number, topic, partition and offset of each."""
    producers = [
        AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            compression_type=codec,
            max_request_size=MAX_RECORD_BYTES,
            linger_ms=5,
            request_timeout_ms=60_000,
        )
        for codec in CODECS
    ]
    await asyncio.gather(*(producer.start() for producer in producers))
    places: list[str] = []
    pending: list[asyncio.Task[str]] = []
    for number, record in enumerate(corpus(seed, count, now)):
        producer = producers[1 if record.kind == "zeros" else number % len(CODECS)]
        pending.append(asyncio.create_task(send_one(producer, prefix, number, record)))
        if len(pending) == IN_FLIGHT:
            places += await asyncio.gather(*pending)
            pending.clear()
    places += await asyncio.gather(*pending)
    await asyncio.gather(*(producer.stop() for producer in producers))
    sys.stdout.write("\n".join(places) + "\n")


async def send_one(
    producer: AIOKafkaProducer, prefix: str, number: int, record: HostileRecord
) -> str:
    """Send one record; return its number, topic, partition and offset."""
    headers = [(header_name(name), value) for name, value in record.headers]
    sent = await producer.send_and_wait(
        f"{prefix}{record.topic}", value=record.value, key=record.key, headers=headers
    )
    return f"{number} {sent.topic} {sent.partition} {sent.offset}"


if __name__ == "__main__":
    asyncio.run(send(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])))
