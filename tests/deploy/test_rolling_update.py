"""A rolling update of workers, which run as the chart's manifests say, under load.

DRILL_SLOTS and DRILL_RATE change its size; `-s` shows what was measured.
"""

import os
import sys
from contextlib import ExitStack
from itertools import pairwise
from threading import Event

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.reader import Reader, read_offset_ranges
from modstream.broker.client.transactional_publisher import TransactionalPublisher
from modstream.broker.wire.records import ProducerRecord
from modstream.live.lag import service_lags
from modstream.operations.verify.echo import ECHO_MODEL, publish_echo, wait_for_echo
from modstream.operations.verify.load import VerificationPlan
from modstream.operations.verify.quiescence import wait_until_quiescent
from modstream.operations.verify.run import VerificationRun
from modstream.settings import load_settings
from tests.deploy.chart import render
from tests.deploy.local_pods import local_pods
from tests.deploy.value_sets import ROLES

pytestmark = [pytest.mark.real, pytest.mark.thorough, pytest.mark.timeout(1800)]
SLOTS = int(os.environ.get("DRILL_SLOTS", "8"))
RATE = float(os.environ.get("DRILL_RATE", "200"))
PARTITIONS = 8
LONGEST_PAUSE_S = 10.0
"""Below the session timeout: a partition changes hands by a rebalance, and not by a timeout."""
ENDLESS = 10**9


@pytest.fixture
def settings(bootstrap, redis_url, prefix, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = load_settings(
        bootstrap=bootstrap,
        redis=redis_url,
        prefix=prefix,
        stream="drill",
        route=(ECHO_MODEL,),
        partitions=PARTITIONS,
        home=tmp_path / "home",
    )
    Admin(found.connection).create(found.topic_specs())
    publish_echo(found)
    return found


@pytest.fixture
def workers(settings, tmp_path):
    """Start the worker pods of a release, and wait until they are ready."""
    values = {
        **{role: {"enabled": False} for role in ROLES},
        "kafka": {"bootstrap": settings.bootstrap},
        "redis": {"url": settings.redis},
        "prefix": settings.prefix,
        "stream": settings.stream,
        "route": list(settings.route),
        "settings": {"partitions": PARTITIONS},
        # Pods have an address each, these processes share one.
        "metrics": {"enabled": False},
        "worker": {"enabled": True, "replicas": SLOTS},
    }
    pods = local_pods(render(values), "worker", tmp_path)
    with ExitStack() as started:
        for pod in pods:
            pod.start()
            started.callback(pod.kill)
        for pod in pods:
            pod.wait_ready()
        yield pods


def test_a_rolling_update_loses_and_repeats_nothing(settings, workers):
    wait_for_echo(settings, 60.0)
    topic = settings.topics().predictions
    start = Admin(settings.connection).end_offsets([topic])
    drains = []
    with VerificationRun(settings, VerificationPlan(ENDLESS, ECHO_MODEL, rate=RATE)) as run:
        for pod in reversed(workers):
            assert run.wait_for_answers(run.answered + int(RATE), 60.0)
            drains.append(pod.stop())
            pod.start()
            pod.wait_ready()
        assert run.wait_for_answers(run.answered + int(RATE), 60.0)
        run.target = run.sent
        for _ in run.progress(60.0):
            pass
        result = run.finish(60.0)

    longest = longest_pause(settings, topic, start)
    figures = f"{run.sent} requests, pause {longest:.2f} s, drains {min(drains):.2f}"
    sys.stdout.write(f"{figures} to {max(drains):.2f} s\n")
    assert result.is_sound, result.faults
    assert max(drains) < workers[0].grace
    assert longest < LONGEST_PAUSE_S


def longest_pause(settings, topic, start):
    """Return the longest time between two answers in a partition, in seconds."""
    ends = Admin(settings.connection).end_offsets([topic])
    times = {}
    ranges = {one: (start[one], ends[one]) for one in start}
    for record in read_offset_ranges(settings.connection, topic, ranges):
        times.setdefault(record.topic_partition, []).append(record.timestamp)
    pauses = [after - before for one in times.values() for before, after in pairwise(one)]
    return max(pauses) / 1000


def test_a_transaction_leaves_a_lag_of_one_in_the_topic_of_requests(settings, workers):
    """What KEDA would count, and what modstream counts: docs/kubernetes.md."""
    topics, admin = settings.topics(), Admin(settings.connection)
    group, requests = topics.group("worker"), topics.requests
    wait_for_echo(settings, 60.0)
    wait_until_quiescent(admin, topics, Event(), 60.0)
    assert sum(admin.lag(group, [requests]).values()) == 0

    with TransactionalPublisher(settings.connection, f"{settings.prefix}drill") as publisher:
        publisher.publish([ProducerRecord(requests, b"key", b"no request")])
    with Reader(settings.connection, [topics.dlq]) as letters:
        while not letters.poll(timeout=1.0):
            pass
    # The worker commits its offset in the transaction of the dead letter.
    assert sum(admin.lag(group, [requests]).values()) == 1
    counted = {one.service: one.records for one in service_lags(settings.connection, topics)}
    assert sum(counted["worker"].values()) == 0
