"""A network that delays, breaks, cuts and swallows between the workers and every broker."""

import time
from contextlib import contextmanager

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.delivery import produce
from modstream.broker.client.reader import read_to_end
from modstream.broker.client.transactions import TransactionalProducer
from modstream.broker.errors import ProducerLost
from modstream.broker.wire.records import Outgoing
from modstream.broker.wire.topics import TopicSpec
from tests.faults.harness import ENDLESS, SECONDS, until
from tests.faults.liveness import Pulse
from tests.faults.proxy import END_TXN, Hold, Way

pytestmark = [pytest.mark.fault, pytest.mark.real, pytest.mark.cluster]

RECOVERY = 15.0
"""Seconds after a fault's end within which answers come again."""
WARM, AFTER = 500, 500
"""Answers before a fault, and requests after it."""


@pytest.fixture
def bootstrap(cluster):
    return cluster.bootstrap


@pytest.fixture
def proxies(cluster):
    """The proxies, healed after each test."""
    yield cluster.proxies.values()
    for proxy in cluster.proxies.values():
        proxy.heal()


@pytest.fixture
def workers(scene, cluster, proxies):
    """Three workers whose every connection to a broker leads through its proxy."""
    scene.start_workers(3, bootstrap=cluster.proxied)
    return scene


@contextmanager
def load(scene, rate=400):
    """A load that has been answered for a while, and goes on until `let_end`."""
    with scene.trial(WARM, rate=rate, ahead=ENDLESS) as trial:
        trial.wanted = ENDLESS
        assert trial.await_answers(WARM, SECONDS)
        yield trial


def let_end(trial):
    """Send some more requests after the faults, and no others."""
    assert trial.is_sending
    trial.wanted = trial.sent + AFTER


def held(proxies):
    return sum(proxy.counts.held[END_TXN] for proxy in proxies)


def outlived(proxies):
    return sum(proxy.counts.outlived for proxy in proxies)


def recovery(scene):
    """Seconds until each partition of requests, whose answers are all behind, has gone on."""
    topics, begun = scene.settings.topics(), time.monotonic()

    def done():
        return scene.admin.committed(topics.group("worker"), [topics.requests])

    stood_at = done()
    until(
        lambda: all(now > stood_at.get(home, 0) for home, now in done().items()),
        "all partitions go on",
    )
    return time.monotonic() - begun


def test_a_commit_that_arrives_late_does_not_end_the_transaction_after_it(cluster, proxies, prefix):
    topic, name = f"{prefix}words", f"{prefix}writer"
    straight, proxied = Connection(cluster.bootstrap), Connection(cluster.proxied)
    Admin(straight).create([TopicSpec(topic, 1)])

    def write(producer, word, meanwhile=lambda: None):
        with producer.transaction() as client:
            produce(client, Outgoing(topic, None, word))
            meanwhile()

    def be_interrupted():
        until(lambda: outlived(proxies) > before, "the first commit arrives")
        # Whoever opens another one aborts the transaction that is open.
        TransactionalProducer(straight, name)

    for proxy in proxies:
        proxy.hold(Hold(END_TXN, 1.0, hang_up=True))
    before, first = outlived(proxies), TransactionalProducer(proxied, name)
    write(first, b"first")
    assert first.is_spent
    with pytest.raises(ProducerLost):
        write(first.successor(), b"second", be_interrupted)

    assert [record.value for record in read_to_end(straight, [topic])] == [b"first"]


def test_thirty_commits_that_arrive_late_tear_no_transaction(workers, proxies):
    before, wanted = held(proxies), 30 * workers.times

    with load(workers) as trial:
        for proxy in proxies:
            proxy.hold(Hold(END_TXN, 0.5, left=wanted))
        until(lambda: held(proxies) - before >= wanted, "so many commits", 2 * SECONDS)
        for proxy in proxies:
            proxy.heal()
        late = held(proxies) - before
        let_end(trial)
        verdict = workers.judge("commits delayed 0.5 s", trial, late)

    assert verdict.found == {}


def test_commits_that_arrive_after_their_connection_broke_tear_no_transaction(workers, proxies):
    before, late = outlived(proxies), held(proxies)

    with load(workers) as trial:
        for count in range(1, 10 * workers.times + 1):
            for proxy in proxies:
                proxy.hold(Hold(END_TXN, 1.0, hang_up=True))
            until(
                lambda count=count: outlived(proxies) - before >= count,
                "a commit outlives its connection",
            )
        let_end(trial)
        hit = held(proxies) - late
        verdict = workers.judge("commits 1 s late, connection lost", trial, hit)

    assert verdict.found == {}


def test_a_slow_network_delays_and_tears_nothing(workers, proxies):
    with load(workers, rate=200) as trial, Pulse(trial) as pulse:
        before = sum(proxy.counts.delayed for proxy in proxies)
        for proxy in proxies:
            proxy.slow(0.2)
        assert trial.await_answers(trial.answered + 1000 * workers.times, SECONDS * workers.times)
        for proxy in proxies:
            proxy.heal()
        delayed = sum(proxy.counts.delayed for proxy in proxies) - before
        let_end(trial)
        verdict = workers.judge(f"200 ms each way, gap {pulse.longest:.1f} s", trial, delayed)

    assert delayed > 100
    assert pulse.longest < RECOVERY
    assert verdict.found == {}


def test_a_network_that_is_cut_is_survived_and_recovered_from(workers, proxies):
    seconds, took = 30.0, []
    before = sum(proxy.counts.cut for proxy in proxies)

    with load(workers, rate=100) as trial:
        for _ in range(workers.times):
            for proxy in proxies:
                proxy.cut()
            time.sleep(seconds)
            for proxy in proxies:
                proxy.heal()
            took.append(recovery(workers))
        let_end(trial)
        cut = sum(proxy.counts.cut for proxy in proxies) - before
        verdict = workers.judge(f"cut {seconds:.0f} s, back in {max(took):.1f} s", trial, len(took))

    assert cut > 0
    assert max(took) < RECOVERY
    assert verdict.found == {}


@pytest.mark.parametrize("way", Way)
def test_half_open_connections_are_noticed_and_replaced(workers, proxies, way):
    seconds, took = 10.0, []
    before = sum(proxy.counts.swallowed[way] for proxy in proxies)

    with load(workers, rate=200) as trial:
        for _ in range(workers.times):
            for proxy in proxies:
                proxy.swallow(way)
            time.sleep(seconds)
            for proxy in proxies:
                proxy.heal()
            took.append(recovery(workers))
        let_end(trial)
        swallowed = sum(proxy.counts.swallowed[way] for proxy in proxies) - before
        verdict = workers.judge(
            f"half open {seconds:.0f} s, {way.value}, back in {max(took):.1f} s", trial, len(took)
        )

    assert swallowed > 0
    assert max(took) < RECOVERY
    assert verdict.found == {}
