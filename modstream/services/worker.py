"""A worker: answers a stream's requests with the models of its route."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from socket import gethostname
from threading import Event

import structlog

from modstream.broker.client.admin import Admin
from modstream.broker.client.consumer import GroupConsumer
from modstream.broker.client.delivery import AtLeastOnce, Deliver, ExactlyOnce
from modstream.broker.client.reader import read_spans
from modstream.broker.loop.batch_sizing import Pace, Took
from modstream.broker.loop.loop import Handle, Loop, Turn
from modstream.models.serving.model_cache import Shelf
from modstream.process.gc_tuning import seldom_collected
from modstream.process.health import Healthbook
from modstream.process.watchdog import Spans, StallWatch
from modstream.processors.predict.deduplication import Repeats
from modstream.processors.predict.handler import Predict
from modstream.processors.predict.model_resolver import PredictSettings, Timing
from modstream.processors.predict.version_markers import Fences
from modstream.registry.access import await_model, open_registry, trust
from modstream.settings import Settings


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


def handler(settings: Settings, shelf: Shelf, source: GroupConsumer, took: Took) -> Handle:
    """What makes answers of requests; `took` is told what each model costs."""
    topics, largest = settings.topics(), settings.largest_request
    lookback = partial(read_spans, settings.connection, topics.requests)
    repeats = Repeats(settings.repeats, lookback, source.tenure, largest)
    return Predict(
        topics,
        shelf,
        PredictSettings(
            settings.models,
            largest,
            record_features=settings.record_features,
            challenger_share=settings.challenger_share,
        ),
        repeats if settings.repeats else None,
        fences=Fences(topics.fences, source.tenure),
        timing=Timing(took=took),
    )


@dataclass(frozen=True, slots=True)
class Parts:
    """What a worker is made of. The fault suite puts watched and broken ones in their place."""

    consumer: Callable[[Settings, str], GroupConsumer] = consumer
    delivery: Callable[[Settings, str, GroupConsumer], Deliver] = delivery
    handler: Callable[[Settings, Shelf, GroupConsumer, Took], Handle] = handler


GENUINE = Parts()


def run_worker(settings: Settings, stop: Event, parts: Parts = GENUINE) -> None:
    """Answer until `stop`; the batch in hand is finished first.

    Requests wait in their topic until every model of the route has been published.

    Raises:
        TopicMissing: an older installation has no topic for fences yet.
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
        Admin(settings.connection).wait_ready([topics.fences])
        slot = gethostname() if settings.slot == "auto" else settings.slot
        client = f"{topics.group('worker')}-{slot}"
        source = parts.consumer(settings, client)
        deliver = parts.delivery(settings, client, source)
        pace = Pace(settings.batch.most, settings.batch.seconds)
        handle = parts.handler(settings, shelf, source, pace.note)
        tally = Tally()
        duty = Duty(settings, source, tally)
        log.info("worker ready", stream=topics.stream, models=settings.models, slot=slot)
        try:
            with (
                seldom_collected(),
                StallWatch(client, duty, settings.stall_seconds, Healthbook(settings.home)),
            ):
                Loop(source, handle, deliver, tally.add, pace=pace).run(stop)
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


class Duty:
    """The requests of a worker's own partitions, as its stall watch sees them."""

    def __init__(self, settings: Settings, source: GroupConsumer, tally: Tally) -> None:
        self._connection = settings.connection
        self._group = settings.topics().group("worker")
        self._topic = settings.topics().requests
        self._source = source
        self._tally = tally
        self._admin = Admin(settings.connection)

    def done(self) -> int:
        """Batches delivered."""
        return self._tally.batches

    def drained(self) -> int:
        """How often fewer records came than were asked for."""
        return self._source.drained

    def waiting(self) -> Spans:
        """Offsets that wait, markers of transactions among them."""
        done = self._admin.committed(self._group, [self._topic])
        ends = self._admin.ends([self._topic], committed=True)
        spans = {home: (done.get(home, 0), ends[home]) for home in self._source.owned}
        return {home: span for home, span in spans.items() if span[1] > span[0]}

    def holds_record(self, spans: Spans) -> bool:
        """Whether a committed record waits."""
        return any(True for _ in read_spans(self._connection, self._topic, spans))
