"""A worker that shows its phase on a page, to be stopped and killed.

python -m tests.faults.worker PAGE [TRAP ...]; everything else stands in the settings. Who finds a
trap's file removes it and is caught, once: a delivery in `hang`, which never comes back, as a call
that ignores its timeout; a consumer in `deaf`, which hears nothing of one partition any more.
"""

import sys
from contextlib import suppress
from pathlib import Path
from threading import Event

from confluent_kafka import TopicPartition as KafkaPartition

from modstream import logs
from modstream.broker.client.consumer import GroupConsumer
from modstream.process.gc_tuning import uncollected_at_exit
from modstream.process.signals import stop_signals
from modstream.services.worker import Parts, consumer, delivery, run_worker
from modstream.settings import load_settings
from tests.faults.phase_page import Page, Watched


class Hanging:
    """A delivery that hangs for ever once it has found its trap."""

    def __init__(self, deliver, trap):
        self._deliver = deliver
        self._trap = trap

    def __call__(self, outgoing, batch):
        if caught(self._trap):
            Event().wait()
        self._deliver(outgoing, batch)

    def close(self):
        self._deliver.close()


class Deaf(GroupConsumer):
    """A consumer that no longer hears one of its partitions once it has found its trap."""

    def __init__(self, *arguments, trap):
        super().__init__(*arguments)
        self._trap = trap
        self._unheard = []

    def poll(self, most=None):
        if self.owned and caught(self._trap):
            self._unheard = [KafkaPartition(*min(self.owned))]
        # Again and again: what keeps a slow worker in its group lets all partitions go on.
        self._consumer.pause(self._unheard)
        return super().poll(most)


def caught(trap):
    """Whether the trap was there; then it is no more."""
    with suppress(FileNotFoundError):
        trap.unlink()
        return True
    return False


def main(page: str, *traps: str) -> None:
    settings = load_settings()
    logs.configure(settings)
    uncollected_at_exit()
    laid = {Path(trap).name: Path(trap) for trap in traps}

    def watched(settings, client, source):
        deliver = delivery(settings, client, source)
        if "hang" in laid:
            deliver = Hanging(deliver, laid["hang"])
        return Watched(deliver, Page(Path(page)))

    def listening(settings, client):
        if "deaf" not in laid:
            return consumer(settings, client)
        topics = settings.topics()
        told = topics.group("worker"), [topics.requests], settings.batch, client
        return Deaf(settings.connection, *told, trap=laid["deaf"])

    with stop_signals() as stop:
        run_worker(settings, stop, Parts(consumer=listening, delivery=watched))


if __name__ == "__main__":
    main(*sys.argv[1:])
