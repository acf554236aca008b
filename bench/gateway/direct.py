"""Latency of the direct Kafka path: the producer's own client, at a steady rate."""

import asyncio
from dataclasses import dataclass
from time import perf_counter

import msgspec
import numpy as np
import uvloop

from bench.gateway.runs import bodies
from bench.gateway.servers import MODEL
from bench.systems import Job
from bench.workloads import EIGHT_FEATURES
from modstream.producers.client.async_client import AsyncClient

TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class DirectLatency:
    """Percentiles in ms."""

    p50: float
    p99: float


def measure_direct(job: Job, rate: float, seconds: float) -> DirectLatency:
    """Send requests at a rate by the asynchronous client; latency counts from their due times."""
    return uvloop.run(_measure(job, rate, seconds))


async def _measure(job: Job, rate: float, seconds: float) -> DirectLatency:
    rows = [
        dict(zip(EIGHT_FEATURES, msgspec.json.decode(body)["inputs"][0]["data"], strict=True))
        for body in bodies("http")
    ]
    latencies: list[float] = []
    connection = job.environment.settings.connection
    async with AsyncClient(connection, job.topics, primary=MODEL) as client:

        async def ask(number: int, due: float) -> None:
            await client.predict(rows[number % len(rows)], timeout=TIMEOUT_SECONDS)
            latencies.append(perf_counter() - due)

        await client.predict(rows[0], timeout=TIMEOUT_SECONDS)
        start = perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(int(rate * seconds)):
                due = start + number / rate
                await asyncio.sleep(max(0.0, due - perf_counter()))
                group.create_task(ask(number, due))
    p50, p99 = np.percentile(latencies, (50, 99)) * 1000
    return DirectLatency(float(p50), float(p99))
