"""The load generator, a process of its own: `python -m bench.gateway.load PLAN RESULT`.

Closed loop: as many calls at a time as there are connections. Open loop: calls at a steady rate,
whether or not the ones before are answered; their latency counts from the time at which they were
to be sent. A call waits for a free connection if all are busy.
"""

import asyncio
import resource
import sys
from collections import Counter, deque
from itertools import cycle
from math import inf
from pathlib import Path
from time import perf_counter
from typing import Literal

import msgspec
import numpy as np
import uvloop

from bench.gateway.wire import (
    OK,
    CallConnection,
    GrpcConnection,
    HttpConnection,
    Reply,
    grpc_call,
    http_call,
)

DRAIN_SECONDS = 15.0
"""How long the generator waits for the last replies."""
TICK_SECONDS = 0.001
MAX_KEPT_ERRORS = 5


class LoadPlan(msgspec.Struct, frozen=True):
    """What to send: `bodies` in turn, in a closed loop or with a `rate` at that many a second."""

    protocol: Literal["http", "grpc"]
    port: int
    path: str
    bodies: list[bytes]
    seconds: float
    connections: int = 64
    rate: float | None = None
    warm_up: float = 0.0
    """Seconds of the same load before the measured ones."""


class LoadResult(msgspec.Struct, frozen=True):
    """What came back in the measured seconds.

    `latencies` are those of the calls that were answered with 200, in seconds and in order of their
    replies, and `since_sent` are the same from the time at which they were sent. `bad_refusals` are
    other replies that are not JSON or have no `Retry-After`.
    `cpu_seconds` is the generator's own processor time.
    """

    sent: int
    statuses: dict[int, int]
    seconds: float
    latencies: list[float]
    since_sent: list[float]
    unanswered: int
    bad_refusals: int
    errors: list[str]
    late_sends: int
    cpu_seconds: float

    @property
    def answered(self) -> int:
        """The number of calls answered with 200."""
        return self.statuses.get(OK, 0)

    @property
    def throughput(self) -> float:
        """Calls answered with 200 in a second."""
        return self.answered / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """Return a percentile of the latencies in ms; infinite if nothing was answered."""
        return float(np.percentile(self.latencies, percent)) * 1000 if self.latencies else inf


class LoadGenerator:
    """Sends the calls of a plan over its connections."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        encode = grpc_call if plan.protocol == "grpc" else _post
        self._calls = cycle([encode(plan.path, body) for body in plan.bodies])
        self._idle: list[CallConnection] = []
        self._asked: deque[float] = deque()
        self._busy = 0
        self._is_closed_loop = plan.rate is None
        self._counts_from = inf
        self._ends = inf
        self._statuses: Counter[int] = Counter()
        self._latencies: list[float] = []
        self._since_sent: list[float] = []
        self._errors: list[str] = []
        self._sent = self._bad_refusals = self._late = 0

    async def run(self) -> LoadResult:
        """Send everything and wait for the replies."""
        plan, loop = self._plan, asyncio.get_running_loop()
        kind: type[CallConnection] = GrpcConnection if plan.protocol == "grpc" else HttpConnection
        for _ in range(plan.connections):
            _, connection = await loop.create_connection(
                lambda: kind(self._take), "127.0.0.1", plan.port
            )
            self._idle.append(connection)
        connections = tuple(self._idle)
        start = perf_counter()
        self._counts_from, self._ends = start + plan.warm_up, start + plan.warm_up + plan.seconds
        used = _cpu_seconds()
        await (self._send_at_rate(start) if plan.rate else self._send_in_turn())
        used = _cpu_seconds() - used
        await self._drain()
        for connection in connections:
            connection.close()
        return LoadResult(
            *(self._sent, dict(self._statuses), plan.seconds, self._latencies, self._since_sent),
            self._busy + len(self._asked),
            *(self._bad_refusals, self._errors, self._late, used),
        )

    async def _send_in_turn(self) -> None:
        while self._idle:
            self._send(self._idle.pop(), perf_counter())
        while (left := self._ends - perf_counter()) > 0:  # noqa: ASYNC110 - replies cost nothing so
            await asyncio.sleep(min(left, 0.2))
        self._is_closed_loop = False

    async def _send_at_rate(self, start: float) -> None:
        step, number = 1 / (self._plan.rate or 1.0), 0
        while True:
            now = perf_counter()
            while (due := start + number * step) <= now and due < self._ends:
                number += 1
                self._late += now - due > 0.01
                if self._idle:
                    self._send(self._idle.pop(), due)
                else:
                    self._asked.append(due)
            if due >= self._ends:
                return
            await asyncio.sleep(max(due - now, TICK_SECONDS))

    async def _drain(self) -> None:
        deadline = perf_counter() + DRAIN_SECONDS
        while (self._busy or self._asked) and perf_counter() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    def _send(self, connection: CallConnection, asked_at: float) -> None:
        self._busy += 1
        connection.asked_at, connection.sent_at = asked_at, perf_counter()
        if asked_at >= self._counts_from:
            self._sent += 1
        connection.send(next(self._calls))

    def _take(self, connection: CallConnection, reply: Reply) -> None:
        now = perf_counter()
        self._busy -= 1
        is_measured = connection.asked_at >= self._counts_from
        if is_measured and not (self._plan.rate is None and now > self._ends):
            self._count(reply, now - connection.asked_at, now - connection.sent_at)
        if connection.is_closed:
            return
        if self._is_closed_loop:
            self._send(connection, now)
        elif self._asked:
            self._send(connection, self._asked.popleft())
        else:
            self._idle.append(connection)

    def _count(self, reply: Reply, latency: float, since_sent: float) -> None:
        self._statuses[reply.status] += 1
        if reply.status == OK:
            self._latencies.append(latency)
            self._since_sent.append(since_sent)
            return
        head, _, body = reply.text.partition(b"\r\n\r\n")
        is_json = body.startswith(b"{") and body.endswith(b"}")
        if not is_json or b"\r\nretry-after:" not in head.lower():
            self._bad_refusals += 1
            if len(self._errors) < MAX_KEPT_ERRORS:
                self._errors.append(reply.text[:300].decode(errors="replace"))


def _post(path: str, body: bytes) -> bytes:
    return http_call("POST", path, body)


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Run the plan of a file, and write the result to another."""
    plan = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=LoadPlan)
    result = uvloop.run(LoadGenerator(plan).run())
    Path(sys.argv[2]).write_bytes(msgspec.msgpack.encode(result))


if __name__ == "__main__":
    main()
