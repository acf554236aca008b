"""Records that only other clients send: bombs, damaged batches, illegible headers."""

import os
import subprocess
import sys
from pathlib import Path

from confluent_kafka import Producer

LATIN_PRODUCER = """
import asyncio, sys
from aiokafka import AIOKafkaProducer
bootstrap, topic, partition, key, value = sys.argv[1:]
class Latin(str):
    def encode(self, *_):
        return b"caf\\xe9"
async def send():
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=False) as producer:
        await producer.send_and_wait(
            topic, bytes.fromhex(value), key=bytes.fromhex(key), partition=int(partition),
            headers=[("before", b"1"), (Latin("x"), b"1")],
        )
asyncio.run(send())
"""
"""A program that sends a header name in Latin-1. Only the pure Python code of aiokafka does that,
and only a process of its own can be without the extensions."""
BOMB_BYTES = 70_000_000
"""Size of a zstd batch that the client refuses to decompress."""


def send_batch(connection, topic, values, codec="none", *, partition=0, headers=None, key=b"k"):
    """Send values as one batch, whatever its size."""
    size = 900_000_000
    failures = []
    producer = Producer(
        {
            "bootstrap.servers": connection.bootstrap, "compression.type": codec,
            "message.max.bytes": size, "batch.size": size, "linger.ms": 10_000,
            "batch.num.messages": len(values),
            "queue.buffering.max.kbytes": 2_000_000,
        }
    )  # fmt: skip
    for value in values:
        producer.produce(
            topic, value, key, partition, headers=headers,
            on_delivery=lambda error, _: failures.append(error) if error else None,
        )  # fmt: skip
    assert producer.flush(60) == 0
    assert not failures


def send_bomb(connection, topic, records=1, partition=0):
    """Send a zstd batch of zeros that no client of ours decompresses."""
    send_batch(
        connection, topic, [bytes(BOMB_BYTES // records)] * records, "zstd", partition=partition
    )


def send_illegible(connection, topic, value, partition=0, key=b"k"):
    """Send a record with a header whose name is not UTF-8."""
    environment = {**os.environ, "AIOKAFKA_NO_EXTENSIONS": "1"}
    arguments = [connection.bootstrap, topic, str(partition), key.hex(), value.hex()]
    command = [sys.executable, "-c", LATIN_PRODUCER, *arguments]
    subprocess.run(command, env=environment, check=True, timeout=60)


def damage(data: Path, topic: str, marker: bytes, partition=0):
    """Flip a bit of a stored value; brokers send the bytes of their files as they are."""
    (segment,) = data.rglob(f"{topic}-{partition}/*.log")
    stored = bytearray(segment.read_bytes())
    stored[stored.index(marker)] ^= 1
    with segment.open("r+b") as file:
        file.write(stored)
