"""A worker: answers a stream's requests with the models of its route."""

from collections.abc import Callable
from dataclasses import dataclass
from socket import gethostname
from threading import Event

import structlog

from broker.consumer import GroupConsumer
from broker.delivery import AtLeastOnce, Deliver, ExactlyOnce
from broker.loop import Handle, Loop, Turn
from broker.names import Topics
from models.shelf import Shelf
from modstream.roles.registry import await_model, open_registry, trust
from modstream.settings import Settings
from processors.predict import Predict, PredictSettings


def consumer(settings: Settings, client: str) -> GroupConsumer:
    """This worker's membership in the group of its kind."""
    topics = settings.topics()
    return GroupConsumer(
        settings.connection, topics.group("worker"), [topics.requests], settings.batch, client
    )


def delivery(settings: Settings, client: str, source: GroupConsumer) -> Deliver:
    """How answers and offsets leave; the client id is the transactional id."""
    if settings.delivery == "exactly_once":
        return ExactlyOnce(settings.connection, client, source)
    return AtLeastOnce(settings.connection, client, source)


def handler(settings: Settings, topics: Topics, shelf: Shelf) -> Handle:
    """What makes answers of requests."""
    return Predict(topics, shelf, PredictSettings(settings.models, settings.largest_request))


@dataclass(frozen=True, slots=True)
class Parts:
    """What a worker is made of. The fault suite puts watched and broken ones in their place."""

    consumer: Callable[[Settings, str], GroupConsumer] = consumer
    delivery: Callable[[Settings, str, GroupConsumer], Deliver] = delivery
    handler: Callable[[Settings, Topics, Shelf], Handle] = handler


GENUINE = Parts()


def run_worker(settings: Settings, stop: Event, parts: Parts = GENUINE) -> None:
    """Answer until `stop`; the batch in hand is finished first.

    Requests wait in their topic until every model of the route has been published.
    """
    topics, log = settings.topics(), structlog.get_logger(__name__)
    with (
        open_registry(settings) as registry,
        Shelf(registry, trust(settings), settings.shelf) as shelf,
    ):
        for model in settings.models:
            await_model(registry, stop, model, lambda model=model: shelf.get(model))  # type: ignore[misc]
        if stop.is_set():
            return
        slot = gethostname() if settings.slot == "auto" else settings.slot
        client = f"{topics.group('worker')}-{slot}"
        source = parts.consumer(settings, client)
        deliver = parts.delivery(settings, client, source)
        handle = parts.handler(settings, topics, shelf)
        tally = Tally()
        log.info("worker ready", stream=topics.stream, models=settings.models, slot=slot)
        try:
            Loop(source, handle, deliver, tally.add).run(stop)
        finally:
            deliver.close()
            source.close()
            log.info("worker ends", swaps=shelf.swaps, **tally.told())


class Tally:
    """How much a worker has done, and the seconds that it took by stage."""

    def __init__(self) -> None:
        self.batches = 0
        self.records = 0
        self.handling = 0.0
        self.delivering = 0.0

    def add(self, turn: Turn) -> None:
        """Count one turn of the loop."""
        self.batches += 1
        self.records += turn.records
        self.handling += turn.handling
        self.delivering += turn.delivering

    def told(self) -> dict[str, float]:
        """The sums, for a log line."""
        return {name: round(value, 3) for name, value in vars(self).items()}
