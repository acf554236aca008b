"""A network that delays, breaks and cuts between the workers and every broker."""

import time

import pytest

from broker.admin import Admin
from broker.connection import Connection
from broker.errors import ProducerLost
from broker.names import TopicSpec
from broker.reader import read_to_end
from broker.records import Outgoing
from broker.transactional import TransactionalPublisher
from tests.faults.harness import SECONDS, marks, until
from tests.faults.proxy import END_TXN, Hold
from tests.faults.pulse import Pulse

pytestmark = [pytest.mark.fault, pytest.mark.long, pytest.mark.real, pytest.mark.timeout(600)]

RECOVERY = 15.0
"""Seconds after a fault's end within which answers come again."""


@pytest.fixture(scope="module")
def bootstrap(cluster):
    return cluster.bootstrap


@pytest.fixture
def proxies(cluster):
    """The proxies, all healed before and after a test."""
    yield cluster.proxies.values()
    for proxy in cluster.proxies.values():
        proxy.heal()


def start_workers(scene, cluster, count=3):
    """Start workers whose every connection to a broker leads through its proxy."""
    scene.start_workers(count, bootstrap=cluster.proxied)


def held(proxies):
    return sum(proxy.counts.held[END_TXN] for proxy in proxies)


def recovery(scene):
    """Seconds until each partition of requests, whose answers are all behind, has gone on."""
    topics, begun = scene.settings.topics(), time.monotonic()

    def done():
        return scene.admin.committed(topics.group("worker"), [topics.requests])

    stood_at = done()
    until(lambda: all(now > stood_at[home] for home, now in done().items()), "all partitions go on")
    return time.monotonic() - begun


def test_a_commit_that_arrives_late_does_not_end_the_transaction_after_it(cluster, proxies, prefix):
    topic, name = f"{prefix}words", f"{prefix}writer"
    straight, proxied = Connection(cluster.bootstrap), Connection(cluster.proxied)
    Admin(straight).create([TopicSpec(topic, 1)])

    def is_late():
        return sum(proxy.counts.outlived for proxy in proxies)

    def second(before):
        yield Outgoing(topic, None, b"second")
        until(lambda: is_late() > before, "the first commit arrives")
        # Whoever opens another publisher ends the transaction that is open.
        with TransactionalPublisher(straight, name):
            pass

    with TransactionalPublisher(proxied, name) as publisher:
        for proxy in proxies:
            proxy.hold(Hold(END_TXN, 1.0, hang_up=True))
        publisher.publish([Outgoing(topic, None, b"first")])
        with pytest.raises(ProducerLost):
            publisher.publish(second(is_late()))

    assert [record.value for record in read_to_end(straight, [topic])] == [b"first"]


def test_thirty_commits_that_arrive_late_tear_no_transaction(cluster, scene, proxies):
    start_workers(scene, cluster)
    before = held(proxies)

    with scene.trial(12_000, rate=400, ahead=2_000) as trial:
        assert trial.await_answers(1000, SECONDS)
        for proxy in proxies:
            proxy.hold(Hold(END_TXN, 0.5, left=30))
        for _ in trial.progress(SECONDS):
            if held(proxies) - before >= 30:
                break
        for proxy in proxies:
            proxy.heal()
        late = held(proxies) - before
        verdict = scene.judge("commits delayed 0.5 s", trial, late)

    assert late >= 30
    assert verdict.found == {}


def test_commits_that_arrive_after_their_connection_broke_tear_no_transaction(
    cluster, scene, proxies
):
    start_workers(scene, cluster)
    before, outlived = held(proxies), sum(proxy.counts.outlived for proxy in proxies)

    with scene.trial(12_000, rate=400, ahead=2_000) as trial:
        for _ in marks(trial, 10):
            for proxy in proxies:
                proxy.hold(Hold(END_TXN, 1.0, hang_up=True))
        for _ in trial.progress(SECONDS):
            pass
        hit = held(proxies) - before
        outlived = sum(proxy.counts.outlived for proxy in proxies) - outlived
        verdict = scene.judge("commits 1 s late, connection lost", trial, hit)

    assert outlived >= 10
    assert verdict.found == {}


def test_a_network_that_is_cut_is_survived_and_recovered_from(cluster, scene, proxies):
    seconds = 10.0
    start_workers(scene, cluster)

    with scene.trial(16_000, rate=400, ahead=8_000) as trial:
        assert trial.await_answers(2000, SECONDS)
        for proxy in proxies:
            proxy.cut()
        time.sleep(seconds)
        stood_at = trial.answered
        for proxy in proxies:
            proxy.heal()
        took = recovery(scene)
        verdict = scene.judge(f"cut {seconds:.0f} s, back in {took:.1f} s", trial, 1)

    assert stood_at < trial.plan.number / 2
    assert sum(proxy.counts.cut for proxy in proxies) > 0
    assert took < RECOVERY
    assert verdict.found == {}


def test_a_slow_network_delays_and_tears_nothing(cluster, scene, proxies):
    start_workers(scene, cluster)

    with scene.trial(6_000, rate=400, ahead=2_000) as trial, Pulse(trial) as pulse:
        assert trial.await_answers(500, SECONDS)
        for proxy in proxies:
            proxy.slow(0.2)
        for _ in trial.progress(SECONDS):
            pass
        delayed = sum(proxy.counts.delayed for proxy in proxies)
        verdict = scene.judge(f"200 ms each way, gap {pulse.longest:.1f} s", trial, delayed)

    assert delayed > 100
    assert pulse.longest < RECOVERY
    assert verdict.found == {}
