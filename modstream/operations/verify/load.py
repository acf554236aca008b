"""The load of a verification run: its plan, and the sending of its requests."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from random import Random
from time import monotonic

from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import Publisher
from modstream.broker.errors import DeliveryFailed
from modstream.operations.verify.sent_log import SentLog

POLL_INTERVAL_S = 0.01
"""Maximum time between two checks of the number of responses, while no request may be sent."""


@dataclass(frozen=True, slots=True)
class VerificationPlan:
    """The plan of a load: `requests` to `model`, with `keys` keys drawn at random by `seed`.

    `rate` is in requests per second, 0 for no limit. At most `max_in_flight` requests are
    unanswered at a time.
    """

    requests: int
    model: str
    keys: int = 100
    rate: float = 0.0
    max_in_flight: int = 1_000_000
    seed: int = 1


def send_load(
    connection: Connection,
    topic: str,
    plan: VerificationPlan,
    sent_log: SentLog,
    count_answered: Callable[[], int],
    target: Callable[[], int],
) -> None:
    """Send a plan's requests, and note the outcome of each send in the log.

    Args:
        connection: the cluster.
        topic: the stream's topic of requests.
        plan: what to send.
        sent_log: the log of all requests sent.
        count_answered: returns the number of requests that have left the stream.
        target: returns the number of requests to send, which may change meanwhile.
    """
    random, started = Random(plan.seed), monotonic()
    with Publisher(connection, "modstream-verify") as publisher:
        while (number := len(sent_log.sent)) < target():
            delay = started + number / plan.rate - monotonic() if plan.rate else 0.0
            if delay > 0 or number - count_answered() >= plan.max_in_flight:
                publisher.poll(min(delay, POLL_INTERVAL_S) if delay > 0 else POLL_INTERVAL_S)
                continue
            sent = sent_log.create_request(f"key-{random.randrange(plan.keys)}")
            publisher.send(sent.to_record(topic, plan.model), partial(sent_log.note_delivery, sent))
        # A failed send is not an error here: its status is in the log.
        with suppress(DeliveryFailed):
            publisher.flush()
