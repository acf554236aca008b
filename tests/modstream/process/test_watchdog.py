"""What does not move any more is noticed and ended; what only waits is left alone."""

from dataclasses import dataclass, field, replace
from threading import Event
from time import time

import pytest

from modstream.broker.errors import BrokerUnavailable
from modstream.broker.wire.records import TopicPartition
from modstream.process.health import STALE_SECONDS, Healthbook, Report
from modstream.process.watchdog import STALLED, StallWatch, Stillness

PATIENCE = 0.2
A, B = TopicPartition("requests", 0), TopicPartition("requests", 1)


@dataclass
class Job:
    """Some work in partition A; the event tells that it was looked at often enough."""

    wait: int = 0
    has_records: bool = True
    moves: bool = False
    busy_elsewhere: bool = False
    idle_elsewhere: bool = False
    answers: bool = True
    looks: int = 0
    seen: Event = field(default_factory=Event)

    def waiting(self):
        self.looks += 1
        if self.looks > 30:
            self.seen.set()
        if not self.answers:
            raise BrokerUnavailable("nowhere", "nobody")
        start = self.looks if self.moves else 0
        return {A: (start, start + self.wait)} if self.wait else {}

    def holds_record(self, spans):
        assert spans
        return self.has_records

    def done(self):
        return self.looks if self.moves or self.busy_elsewhere or self.idle_elsewhere else 0

    def drained(self):
        return self.looks if self.idle_elsewhere else 0


def watched(tmp_path, job):
    """Watch until the process would be ended, or the job was looked at long enough."""
    book, codes = Healthbook(tmp_path), []

    def end(code):
        codes.append(code)
        job.seen.set()

    with StallWatch("worker-0", job, PATIENCE, book, end):
        assert job.seen.wait(20)
        reports = book.read()
    return codes, reports[0]


def test_work_that_waits_while_nothing_is_delivered_ends_the_process(tmp_path):
    codes, report = watched(tmp_path, Job(wait=7))

    assert codes == [STALLED]
    assert not report.healthy
    assert report.reason == "7 offsets of requests:0 wait and none was delivered for 0.2 s"


def test_one_partition_that_stands_still_while_others_go_on_ends_the_process(tmp_path):
    codes, _ = watched(tmp_path, Job(wait=7, idle_elsewhere=True))

    assert codes == [STALLED]


@pytest.mark.parametrize(
    "job",
    [
        Job(wait=0),
        Job(wait=7, moves=True),
        Job(wait=7, busy_elsewhere=True),
        Job(wait=1, has_records=False),
    ],
    ids=["nothing waits", "it moves", "others come first", "only markers of transactions wait"],
)
def test_a_worker_that_is_well_goes_on(tmp_path, job):
    codes, report = watched(tmp_path, job)

    assert codes == []
    assert report.healthy


def test_while_kafka_does_not_answer_a_worker_is_unhealthy_and_goes_on(tmp_path):
    codes, report = watched(tmp_path, Job(wait=7, answers=False))

    assert codes == []
    assert not report.healthy
    assert "no Kafka broker answers" in report.reason


def test_who_ends_in_order_leaves_no_report(tmp_path):
    watched(tmp_path, Job())

    assert Healthbook(tmp_path).read() == []


def test_old_news_is_bad_news(tmp_path):
    book, fresh = Healthbook(tmp_path), Report("b", True, "nothing waits", 0, time())
    book.write(fresh)
    book.write(replace(fresh, name="a", at=time() - STALE_SECONDS - 10))

    first, second = book.read()

    assert second == fresh
    assert not first.healthy
    assert "no report for 40 s" in first.reason


def test_each_partition_has_a_clock_of_its_own_that_begins_when_it_stands():
    still = Stillness()
    still.note({A: (0, 5), B: (0, 5)}, 0.0, is_busy=False)
    still.note({A: (0, 5), B: (3, 5)}, 6.0, is_busy=False)

    assert still.beyond(10.0, 10.0) == {A}
    assert still.beyond(10.0, 16.0) == {A, B}


def test_a_partition_that_goes_and_comes_back_begins_anew():
    still = Stillness()
    still.note({A: (0, 5)}, 0.0, is_busy=False)
    still.note({}, 5.0, is_busy=False)
    still.note({A: (0, 5)}, 9.0, is_busy=False)

    assert still.beyond(10.0, 12.0) == set()
