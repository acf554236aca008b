"""A dashboard of a real stream: Kafka, Redis and the dashboard as processes, and their records."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Lock
from time import monotonic, time

import httpx

from modstream.broker.client.publisher import DeliveryReport, Publisher
from modstream.broker.wire.codec import KIND_PREDICTION, encode
from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.broker.wire.model_contracts import Metrics, ModelEvent
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import Header
from modstream.stack.embedded import EmbeddedServers
from modstream.stack.embedded.ports import HOST, free_port
from tests.journeys.conftest import System, open_system, publish_untrained

START_SECONDS = 60.0
MODEL = "flights"
ANSWER = b'{"outputs":[0.5],"source":{"topic":"%s","partition":%d,"offset":%d}}'
CARRIERS = ("AA", "DL", "FL", "UA")
FEEDBACK_EVERY = 20
"""One in so many requests gets a label."""
TICK_SECONDS = 0.1


class LiveStream:
    """A stream that this process writes, and the dashboard process that shows it."""

    def __init__(self, system: System, url: str) -> None:
        self.system, self.url = system, url
        # It answers from within its reports, where it must not serve further ones.
        self._publisher = Publisher(system.settings.connection, polls_on_send=False)
        self._numbers = count()
        self._lock = Lock()
        self._requests = 0

    @property
    def pid(self) -> int:
        """The process id of the dashboard."""
        (status,) = self.system.supervisor.status()
        assert status.pid is not None
        return status.pid

    def request(self) -> int:
        """Send a request, and its answer as soon as Kafka has it; wait for neither.

        Returns:
            The number of requests so far.
        """
        with self._lock:
            self._requests += 1
            key = str(next(self._numbers)).encode()
            record = ProducerRecord(self.system.topics.requests, key, b'{"features":{"x":1}}')
            self._publisher.send(record, self._answer)
            return self._requests

    def metrics(self) -> None:
        """Send the figures of version 1, as its learner would."""
        values = {"accuracy": 0.8 + time() % 60 / 1000, "labelled": 1000.0, "window": 1000.0}
        for version in (1, None):
            metrics = Metrics(kind="prequential", model=MODEL, version=version, values=values)
            topic = self.system.topics.metrics
            self._publisher.send(ProducerRecord(topic, b"prequential", encode(metrics)))

    def feedback(self) -> None:
        """Send a label joined with a prediction of version 1."""
        number, now = next(self._numbers), int(time() * 1000)
        outputs = {"probability": number % 10 / 10}
        feedback = Feedback(
            id=str(number),
            label=number % 3 == 0,
            features={"carrier": CARRIERS[number % len(CARRIERS)], "distance": number % 97},
            predictions=(JoinedPrediction(model=MODEL, version=1, outputs=outputs),),
            event_time=now,
            label_time=now,
        )
        topic = self.system.topics.feedback
        self._publisher.send(ProducerRecord(topic, feedback.id.encode(), encode(feedback)))

    def change(self, reason: str) -> None:
        """Send the event that the champion was promoted for a reason."""
        now = int(time() * 1000)
        event = ModelEvent(model=MODEL, version=1, action="promote", at=now, reason=reason)
        topic = self.system.topics.model_events
        self._publisher.send(ProducerRecord(topic, MODEL.encode(), encode(event)))

    def flush(self) -> None:
        """Wait until Kafka has all records, and the answers to them."""
        self._publisher.flush()
        self._publisher.flush()

    def send_steadily(self, rate: float, stop: Event) -> None:
        """Send `rate` requests a second with their answers, some labels, and figures."""
        start, sent, figures = monotonic(), 0, 0
        while not stop.wait(TICK_SECONDS):
            seconds = monotonic() - start
            for _ in range(int(seconds * rate) - sent):
                self.request()
                sent += 1
                if sent % FEEDBACK_EVERY == 0:
                    self.feedback()
            if seconds > figures:
                self.metrics()
                figures += 1
            self._publisher.poll(0.0)

    def close(self) -> None:
        """Wait for pending records, at most 10 s."""
        self._publisher.close()

    def _answer(self, report: DeliveryReport) -> None:
        stored = report.record
        if stored is None or stored.topic != self.system.topics.requests:
            return
        value = ANSWER % (stored.topic.encode(), stored.partition, stored.offset)
        headers = ((Header.KIND, KIND_PREDICTION), (Header.MODEL, f"{MODEL}/1".encode()))
        topic = self.system.topics.predictions
        self._publisher.send(ProducerRecord(topic, stored.key, value, headers))


@contextmanager
def live_stream() -> Iterator[LiveStream]:
    """Start servers, and a dashboard of a stream with one version; all end with the context."""
    with (
        TemporaryDirectory(prefix="dashboard-") as name,
        EmbeddedServers(Path(name) / "servers") as servers,
        open_system(servers.bootstrap, servers.redis_url, "live.", Path(name)) as system,
    ):
        publish_untrained(system, MODEL)
        port = free_port()
        system.start("dashboard", "dashboard", "--port", str(port))
        stream = LiveStream(system, f"http://{HOST}:{port}")
        wait_for_page(stream.url)
        try:
            yield stream
        finally:
            stream.close()


def wait_for_page(url: str) -> None:
    """Wait until a dashboard answers."""
    deadline = monotonic() + START_SECONDS
    while monotonic() < deadline:
        try:
            if httpx.get(f"{url}/health").status_code == 200:
                return
        except httpx.TransportError:
            Event().wait(0.1)
    raise TimeoutError(f"{url} does not answer after {START_SECONDS:g} s")
