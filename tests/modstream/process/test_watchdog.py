"""The watchdog ends a process that is stalled, and no process that waits or works."""

from dataclasses import dataclass, field
from threading import Event

import pytest
from structlog.testing import capture_logs

from modstream.broker.errors import BrokerUnavailable
from modstream.broker.loop.progress import EXIT_STALLED
from modstream.broker.wire.records import TopicPartition
from modstream.process.health import HealthFiles
from modstream.process.watchdog import StallWatchdog

pytestmark = pytest.mark.slow

STALL_TIMEOUT = 0.2
TIMEOUT = 20
CHECKS = 30
PARTITION = TopicPartition("requests", 0)


@dataclass
class FakeProbe:
    """Work in one partition; the event is set after enough checks."""

    offsets: int = 0
    holds_records: bool = True
    advances: bool = False
    is_busy_elsewhere: bool = False
    is_idle_elsewhere: bool = False
    answers: bool = True
    checks: int = 0
    checked: Event = field(default_factory=Event)

    def pending(self):
        self.checks += 1
        if self.checks > CHECKS:
            self.checked.set()
        if not self.answers:
            raise BrokerUnavailable("localhost:1", "connection refused")
        start = self.checks if self.advances else 0
        return {PARTITION: (start, start + self.offsets)} if self.offsets else {}

    def has_records(self, ranges):
        assert ranges
        return self.holds_records

    def deliveries(self):
        delivers = self.advances or self.is_busy_elsewhere or self.is_idle_elsewhere
        return self.checks if delivers else 0

    def drained_polls(self):
        return self.checks if self.is_idle_elsewhere else 0


def watch(probe, health_files):
    """Watch until the process would exit, or the probe was checked often enough."""
    codes = []

    def exit_process(code):
        codes.append(code)
        probe.checked.set()

    with StallWatchdog("worker-0", probe, STALL_TIMEOUT, health_files, exit_process=exit_process):
        assert probe.checked.wait(TIMEOUT)
        reports = health_files.read()
    return codes, reports[0]


@pytest.fixture
def health_files(tmp_path):
    return HealthFiles(tmp_path)


def test_records_that_wait_without_deliveries_end_the_process(health_files):
    codes, report = watch(FakeProbe(offsets=7), health_files)

    assert codes == [EXIT_STALLED] == [75]
    assert not report.is_healthy
    assert report.reason == "7 offsets of requests:0 wait and none was delivered for 0.2 s"


def test_one_partition_that_stalls_while_others_are_idle_ends_the_process(health_files):
    codes, _ = watch(FakeProbe(offsets=7, is_idle_elsewhere=True), health_files)

    assert codes == [EXIT_STALLED]


@pytest.mark.parametrize(
    "probe",
    [
        FakeProbe(offsets=0),
        FakeProbe(offsets=7, advances=True),
        FakeProbe(offsets=7, is_busy_elsewhere=True),
        FakeProbe(offsets=1, holds_records=False),
    ],
    ids=["nothing waits", "it advances", "other partitions are busy", "only markers wait"],
)
def test_healthy_process_continues(health_files, probe):
    codes, report = watch(probe, health_files)

    assert codes == []
    assert report.is_healthy


def test_process_is_unhealthy_and_continues_while_kafka_does_not_answer(health_files):
    with capture_logs() as logs:
        codes, report = watch(FakeProbe(offsets=7, answers=False), health_files)

    assert codes == []
    assert [log["event"] for log in logs] == ["Kafka does not answer"], "once for all checks"
    assert not report.is_healthy
    assert "no Kafka broker answers" in report.reason


def test_health_report_is_removed_when_the_process_stops_normally(health_files):
    watch(FakeProbe(), health_files)

    assert health_files.read() == []


def test_watch_survives_a_health_file_that_cannot_be_written(tmp_path):
    """A full disk must not leave a stalled worker running for ever."""

    class FailingFiles(HealthFiles):
        failures = 1

        def write(self, report):
            if self.failures:
                self.failures -= 1
                raise OSError("no space left on device")
            super().write(report)

    codes, _ = watch(FakeProbe(offsets=7), FailingFiles(tmp_path))

    assert codes == [EXIT_STALLED]


def test_a_process_with_problems_is_unhealthy_although_it_works(health_files):
    problems = ["the champion of m cannot be loaded"]
    probe = FakeProbe(offsets=7, advances=True)
    with StallWatchdog(
        "worker-0", probe, STALL_TIMEOUT, health_files, problems=lambda: "".join(problems)
    ):
        assert probe.checked.wait(TIMEOUT)
        (unhealthy,) = health_files.read()
        problems.clear()
        probe.checks = 0
        probe.checked.clear()
        assert probe.checked.wait(TIMEOUT)
        (healthy,) = health_files.read()

    assert (unhealthy.is_healthy, unhealthy.reason) == (False, "the champion of m cannot be loaded")
    assert healthy.is_healthy
