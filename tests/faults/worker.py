"""A worker that writes its phase to a file, to be stopped and killed.

    python -m tests.faults.worker PHASE_FILE [TRAP ...]

Settings come from the environment. A trap is a file that triggers a fault once, and is removed.
With the name `hang`, a delivery never returns, as a call that ignores its timeout. With the name
`stalled-partition`, the consumer gets no more records of one partition.
"""

import sys
from contextlib import suppress
from pathlib import Path
from threading import Event

from confluent_kafka import TopicPartition as KafkaPartition

from modstream import logs
from modstream.broker.client.consumer import GroupConsumer
from modstream.process.gc_tuning import skip_gc_at_exit
from modstream.process.signals import stop_signals
from modstream.services.worker import WorkerFactories, consumer, delivery, run_worker
from modstream.settings import load_settings
from tests.faults.phase_page import PhasePage, PhaseReportingDelivery

HANG, STALLED_PARTITION = "hang", "stalled-partition"


class HangingDelivery:
    """A delivery that hangs forever once its trap exists."""

    def __init__(self, deliver, trap):
        self._deliver = deliver
        self._trap = trap

    def __call__(self, records, batch):
        if spring_trap(self._trap):
            Event().wait()
        self._deliver(records, batch)

    def close(self):
        self._deliver.close()


class StalledPartitionConsumer(GroupConsumer):
    """A consumer that gets no records of one of its partitions once its trap exists."""

    def __init__(self, *arguments, trap):
        super().__init__(*arguments)
        self._trap = trap
        self._stalled = []

    def poll(self, max_records=None):
        if self.owned and spring_trap(self._trap):
            self._stalled = [KafkaPartition(*min(self.owned))]
        # Pause in every poll: the keep-alive of slow workers resumes all partitions.
        self._consumer.pause(self._stalled)
        return super().poll(max_records)


def spring_trap(trap):
    """Remove the trap; return whether it existed."""
    with suppress(FileNotFoundError):
        trap.unlink()
        return True
    return False


def main(phase_file: str, *traps: str) -> None:
    settings = load_settings()
    logs.configure(settings)
    skip_gc_at_exit()
    traps_by_name = {Path(trap).name: Path(trap) for trap in traps}

    def make_delivery(settings, client, source):
        deliver = delivery(settings, client, source)
        if HANG in traps_by_name:
            deliver = HangingDelivery(deliver, traps_by_name[HANG])
        return PhaseReportingDelivery(deliver, PhasePage(Path(phase_file)))

    def make_consumer(settings, client):
        if STALLED_PARTITION not in traps_by_name:
            return consumer(settings, client)
        topics = settings.topics()
        arguments = topics.group("worker"), [topics.requests], settings.batch, client
        return StalledPartitionConsumer(
            settings.connection, *arguments, trap=traps_by_name[STALLED_PARTITION]
        )

    with stop_signals() as stop:
        run_worker(settings, stop, WorkerFactories(consumer=make_consumer, delivery=make_delivery))


if __name__ == "__main__":
    main(*sys.argv[1:])
