"""Network faults between the workers and all brokers: delays, resets, cuts and lost bytes."""

import time
from collections.abc import Iterable
from contextlib import contextmanager

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.produce import produce_record
from modstream.broker.client.reader import read_to_end
from modstream.broker.client.transactions import TransactionalProducer
from modstream.broker.errors import ProducerLost
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import TopicSpec
from modstream.operations.verify.run import VerificationRun
from tests.faults.cluster import Cluster
from tests.faults.harness import ENDLESS, TIMEOUT_SECONDS, FaultHarness, wait_until
from tests.faults.liveness import LivenessMonitor
from tests.faults.proxy import END_TXN, Direction, FaultProxy, RequestDelay

pytestmark = [pytest.mark.fault, pytest.mark.real, pytest.mark.cluster]

MAX_RECOVERY_SECONDS = 15.0
"""Maximum time from the end of a fault to the next responses."""
ANSWERS_BEFORE, REQUESTS_AFTER = 500, 500
"""Answered requests before a fault, and requests sent after it."""


@pytest.fixture
def bootstrap(cluster: Cluster):
    return cluster.bootstrap


@pytest.fixture
def proxies(cluster: Cluster):
    """The proxies; their faults end after each test."""
    yield cluster.proxies.values()
    for proxy in cluster.proxies.values():
        proxy.heal()


@pytest.fixture
def workers(harness: FaultHarness, cluster: Cluster, proxies: Iterable[FaultProxy]):
    """Three workers that connect to the brokers through the proxies only."""
    harness.start_workers(3, bootstrap=cluster.proxied)
    return harness


@contextmanager
def load(harness: FaultHarness, rate=400):
    """Run a load that has been answered for a while, and continues until `stop_load`."""
    with harness.start_run(ANSWERS_BEFORE, rate=rate, max_in_flight=ENDLESS) as run:
        run.target = ENDLESS
        assert run.wait_for_answers(ANSWERS_BEFORE, TIMEOUT_SECONDS)
        yield run


def stop_load(run: VerificationRun):
    """Send some more requests after the faults, and then stop."""
    assert run.is_sending
    run.target = run.sent + REQUESTS_AFTER


def delayed_commits(proxies: Iterable[FaultProxy]):
    return sum(proxy.counts.held[END_TXN] for proxy in proxies)


def late_deliveries(proxies: Iterable[FaultProxy]):
    return sum(proxy.counts.delivered_after_disconnect for proxy in proxies)


def measure_recovery(harness: FaultHarness):
    """Return the seconds until the committed offset of every partition has advanced."""
    topics, started = harness.settings.topics(), time.monotonic()

    def committed():
        return harness.admin.committed_offsets(topics.group("worker"), [topics.requests])

    before = committed()
    wait_until(
        lambda: all(now > before.get(partition, 0) for partition, now in committed().items()),
        "all partitions advance",
    )
    return time.monotonic() - started


def test_a_late_commit_does_not_end_the_next_transaction(
    cluster: Cluster, proxies: Iterable[FaultProxy], prefix
):
    topic, name = f"{prefix}words", f"{prefix}writer"
    direct, proxied = Connection(cluster.bootstrap), Connection(cluster.proxied)
    Admin(direct).create([TopicSpec(topic, 1)])

    def write(producer, value, before_commit=lambda: None):
        with producer.transaction() as client:
            produce_record(client, ProducerRecord(topic, None, value))
            before_commit()

    def abort_by_new_producer():
        wait_until(lambda: late_deliveries(proxies) > before, "the first commit arrives")
        # Opening another producer with the same id aborts the open transaction.
        TransactionalProducer(direct, name)

    for proxy in proxies:
        proxy.delay_requests(RequestDelay(END_TXN, 1.0, disconnect=True))
    before, first = late_deliveries(proxies), TransactionalProducer(proxied, name)
    write(first, b"first")
    assert first.needs_replacement
    with pytest.raises(ProducerLost):
        write(first.open_replacement(), b"second", abort_by_new_producer)

    assert [record.value for record in read_to_end(direct, [topic])] == [b"first"]


@pytest.mark.thorough
def test_thirty_late_commits_break_no_transaction(
    workers: FaultHarness, proxies: Iterable[FaultProxy]
):
    before, needed = delayed_commits(proxies), 30 * workers.times

    with load(workers) as run:
        for proxy in proxies:
            proxy.delay_requests(RequestDelay(END_TXN, 0.5, count=needed))
        wait_until(
            lambda: delayed_commits(proxies) - before >= needed,
            "enough delayed commits",
            2 * TIMEOUT_SECONDS,
        )
        for proxy in proxies:
            proxy.heal()
        late = delayed_commits(proxies) - before
        stop_load(run)
        result = workers.finish("commits delayed 0.5 s", run, late)

    assert result.fault_counts == {}


def test_commits_that_arrive_after_their_connection_was_lost_break_no_transaction(
    workers: FaultHarness, proxies: Iterable[FaultProxy]
):
    before, late = late_deliveries(proxies), delayed_commits(proxies)

    with load(workers) as run:
        for count in range(1, 10 * workers.times + 1):
            for proxy in proxies:
                proxy.delay_requests(RequestDelay(END_TXN, 1.0, disconnect=True))
            wait_until(
                lambda count=count: late_deliveries(proxies) - before >= count,
                "a commit arrives after its connection was lost",
            )
        stop_load(run)
        hit = delayed_commits(proxies) - late
        result = workers.finish("commits 1 s late, connection lost", run, hit)

    assert result.fault_counts == {}


def test_a_slow_network_only_delays(workers: FaultHarness, proxies: Iterable[FaultProxy]):
    with load(workers, rate=200) as run, LivenessMonitor(run) as liveness:
        before = sum(proxy.counts.delayed for proxy in proxies)
        for proxy in proxies:
            proxy.add_latency(0.2)
        assert run.wait_for_answers(
            run.answered + 1000 * workers.times, TIMEOUT_SECONDS * workers.times
        )
        for proxy in proxies:
            proxy.heal()
        delayed = sum(proxy.counts.delayed for proxy in proxies) - before
        stop_load(run)
        result = workers.finish(
            f"200 ms each direction, gap {liveness.longest_gap:.1f} s", run, delayed
        )

    assert delayed > 100
    assert liveness.longest_gap < MAX_RECOVERY_SECONDS
    assert result.fault_counts == {}


@pytest.mark.thorough
def test_workers_recover_after_the_network_was_cut(
    workers: FaultHarness, proxies: Iterable[FaultProxy]
):
    seconds, recovery_times = 30.0, []
    before = sum(proxy.counts.cut for proxy in proxies)

    with load(workers, rate=100) as run:
        for _ in range(workers.times):
            for proxy in proxies:
                proxy.cut()
            time.sleep(seconds)
            for proxy in proxies:
                proxy.heal()
            recovery_times.append(measure_recovery(workers))
        stop_load(run)
        cut = sum(proxy.counts.cut for proxy in proxies) - before
        result = workers.finish(
            f"cut {seconds:.0f} s, recovered in {max(recovery_times):.1f} s",
            run,
            len(recovery_times),
        )

    assert cut > 0
    assert max(recovery_times) < MAX_RECOVERY_SECONDS
    assert result.fault_counts == {}


@pytest.mark.parametrize(
    "direction",
    [
        Direction.TO_SERVER,
        pytest.param(Direction.TO_CLIENT, marks=pytest.mark.thorough),
    ],
)
def test_half_open_connections_are_detected_and_replaced(
    workers: FaultHarness, proxies: Iterable[FaultProxy], direction
):
    seconds, recovery_times = 10.0, []
    before = sum(proxy.counts.swallowed[direction] for proxy in proxies)

    with load(workers, rate=200) as run:
        for _ in range(workers.times):
            for proxy in proxies:
                proxy.swallow(direction)
            time.sleep(seconds)
            for proxy in proxies:
                proxy.heal()
            recovery_times.append(measure_recovery(workers))
        stop_load(run)
        swallowed = sum(proxy.counts.swallowed[direction] for proxy in proxies) - before
        result = workers.finish(
            f"half open {seconds:.0f} s, {direction.value},"
            f" recovered in {max(recovery_times):.1f} s",
            run,
            len(recovery_times),
        )

    assert swallowed > 0
    assert max(recovery_times) < MAX_RECOVERY_SECONDS
    assert result.fault_counts == {}
