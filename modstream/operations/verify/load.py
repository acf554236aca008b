"""What a run asks, and sending it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from random import Random
from time import monotonic

from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import Publisher
from modstream.broker.errors import DeliveryFailed
from modstream.operations.verify.sent_log import Journal

PAUSE = 0.01
"""Seconds between two looks at how far the answers are, while none may be sent."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run asks.

    `number` requests to `model`, on `keys` keys drawn by `seed`; `rate` per second, 0 for as fast
    as it goes, but never more than `ahead` before the answers.
    """

    number: int
    model: str
    keys: int = 100
    rate: float = 0.0
    ahead: int = 1_000_000
    seed: int = 1


def send(
    connection: Connection,
    topic: str,
    plan: Plan,
    journal: Journal,
    answered: Callable[[], int],
    wanted: Callable[[], int],
) -> None:
    """Send a plan's requests into their topic, and write down what became of each sending.

    Args:
        connection: the cluster's.
        topic: the stream's requests.
        plan: what to send.
        journal: where it is written down.
        answered: how many requests have left the stream.
        wanted: how many are to be sent, which may change while they are.
    """
    random, begun = Random(plan.seed), monotonic()
    with Publisher(connection, "modstream-verify") as publisher:
        while (number := len(journal.sent)) < wanted():
            wait = begun + number / plan.rate - monotonic() if plan.rate else 0.0
            if wait > 0 or number - answered() >= plan.ahead:
                publisher.poll(min(wait, PAUSE) if wait > 0 else PAUSE)
                continue
            sent = journal.enter(f"key-{random.randrange(plan.keys)}")
            publisher.send(sent.outgoing(topic, plan.model), partial(journal.note, sent))
        # A sending that failed is no error here: the journal has its fate.
        with suppress(DeliveryFailed):
            publisher.flush()
