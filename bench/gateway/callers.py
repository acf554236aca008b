"""Clients of gateways that do what the documentation says about refusals and tickets."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter

import aiohttp
import msgspec

from bench.gateway.runs import bodies
from bench.gateway.servers import PATH

ANSWER_SECONDS = 120.0
"""How long a call is repeated, or its ticket redeemed, before it counts as lost."""
CONNECTIONS = 8192
"""More than there are calls at a time: none waits in the client."""
REFUSALS = frozenset({429, 503})


@dataclass(slots=True)
class Outcome:
    """What became of the calls: those that were answered by their record's id, and the statuses."""

    calls: int = 0
    answered: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def lost(self) -> int:
        """The number of calls without an answer."""
        return self.calls - len(self.answered)


class Caller:
    """A client of the gateways that does what the documentation says about refusals and tickets."""

    def __init__(self, http: aiohttp.ClientSession, url: str, outcome: Outcome) -> None:
        self._http, self._url, self._outcome = http, url, outcome

    async def call(self, body: bytes) -> None:
        """Ask until there is an answer, at most ANSWER_SECONDS."""
        deadline = perf_counter() + ANSWER_SECONDS
        while perf_counter() < deadline:
            status, place, text = await self._ask("POST", PATH, body)
            if status == 200:
                self._outcome.answered.add(request_id_of(text))
                return
            if place:
                if await self._redeem(place, deadline):
                    return
            elif status in REFUSALS or not status:
                await asyncio.sleep(1.0)

    async def _redeem(self, place: str, deadline: float) -> bool:
        while perf_counter() < deadline:
            status, _, text = await self._ask("GET", place)
            if status == 200:
                self._outcome.answered.add(request_id_of(text))
                return True
            await asyncio.sleep(0.2)
        return False

    async def _ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, str, bytes]:
        headers = {"Content-Type": "application/json"}
        if method == "GET":
            headers["Prefer"] = "wait=5"
        try:
            async with self._http.request(
                method, self._url + path, data=body, headers=headers
            ) as answer:
                text = await answer.read()
                self._outcome.statuses[answer.status] += 1
                return answer.status, answer.headers.get("location", ""), text
        except aiohttp.ClientError:
            self._outcome.statuses[0] += 1
            return 0, "", b""


def request_id_of(text: bytes) -> str:
    """Return the id of the record that an answer belongs to."""
    return str(msgspec.json.decode(text)["parameters"]["request_id"])


def session() -> aiohttp.ClientSession:
    """Return a session with many connections."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS))


async def take_tickets(url: str, count: int) -> list[str]:
    """Return the places of the answers to calls that are answered later."""
    headers = {"Content-Type": "application/json", "Prefer": "respond-async"}
    texts, slots = bodies("http"), asyncio.Semaphore(32)
    async with session() as http:

        async def take(number: int) -> str:
            async with slots:
                while True:
                    body = texts[number % len(texts)]
                    async with http.post(url + PATH, data=body, headers=headers) as answer:
                        if answer.status not in REFUSALS:
                            return answer.headers["location"]
                    await asyncio.sleep(1.0)

        return await asyncio.gather(*map(take, range(count)))


async def redeem_all(url: str, places: Sequence[str]) -> tuple[int, float]:
    """Redeem tickets; return how many have an answer, and how many seconds that took."""
    start = perf_counter()
    async with session() as http:

        async def redeem(place: str) -> bool:
            async with http.get(url + place, headers={"Prefer": "wait=30"}) as answer:
                await answer.read()
                return answer.status == 200

        found = await asyncio.gather(*map(redeem, places))
    return sum(found), perf_counter() - start
