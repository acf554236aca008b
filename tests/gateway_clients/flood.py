"""Sends many mutated bodies over several connections, and counts what comes back."""

import http.client
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import grpc

from tests.gateway_clients.mutations import HttpBody

CONNECTIONS = 16
METHOD = "/inference.GRPCInferenceService/ModelInfer"
SECONDS = 60


@dataclass
class Flood:
    """How many answers had each status, and a line for each that a caller must never get."""

    statuses: Counter[Any] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def add(self, status: object, problem: str) -> None:
        """Count an answer."""
        self.statuses[status] += 1
        if problem:
            self.problems.append(problem)


def flood_http(url: str, bodies: Iterable[HttpBody]) -> Flood:
    """Send bodies over connections that stay open."""
    found = Flood()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for answers in pool.map(lambda part: _send(url, part), _parts(bodies)):
            for status, problem in answers:
                found.add(status, problem)
    return found


def _parts(bodies: Iterable[Any]) -> Iterator[Sequence[Any]]:
    iterator = iter(bodies)
    while part := list(islice(iterator, 50)):
        yield part


def _send(url: str, bodies: Sequence[HttpBody]) -> list[tuple[int, str]]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=SECONDS)
    connection.connect()
    found = []
    for one in bodies:
        if connection.sock is None:
            found.append((0, "the connection was closed"))
            connection.connect()
        connection.request("POST", f"/v2/models/{one.model}/infer", one.body, dict(one.headers))
        response = connection.getresponse()
        found.append((response.status, problem_of(one, response.status, response.read())))
    connection.close()
    return found


def problem_of(sent: HttpBody, status: int, body: bytes) -> str:
    """Return what is wrong with an answer, or an empty text."""
    is_error = 400 <= status < 500
    if status == 200:
        return ""
    try:
        has_text = bool(json.loads(body)["error"])
    except (ValueError, KeyError):
        has_text = False
    if is_error and has_text:
        return ""
    return f"{status} {body[:300]!r} to {sent.body[:300]!r} {sent.headers}"


REFUSALS = ("INVALID_ARGUMENT", "NOT_FOUND", "RESOURCE_EXHAUSTED")


def flood_grpc(address: str, messages: Iterable[bytes]) -> Flood:
    """Send messages as they are over one channel, several at a time."""
    found = Flood()
    with grpc.insecure_channel(address) as channel, ThreadPoolExecutor(CONNECTIONS) as pool:
        call = channel.unary_unary(METHOD)

        def send(message: bytes) -> tuple[str, str]:
            try:
                call(message, timeout=SECONDS)
            except grpc.RpcError as error:
                name, text = error.code().name, error.details()
                wrong = name not in REFUSALS or not text
                return name, f"{name} {text!r} to {message[:300]!r}" if wrong else ""
            return "OK", ""

        for status, problem in pool.map(send, messages):
            found.add(status, problem)
    return found
