"""Brokers that are killed while requests keep coming."""

import pytest

from modstream.broker.client.delivery import PRODUCERS
from tests.faults.cluster import NODES, Coordinator
from tests.faults.harness import ENDLESS, SECONDS
from tests.faults.liveness import Pulse

pytestmark = [pytest.mark.fault, pytest.mark.real, pytest.mark.cluster]

WORKERS = 3
AFTER = 500
"""Answers by which the survivors show that they have taken over, before the dead comes back."""


@pytest.fixture
def bootstrap(cluster):
    return cluster.bootstrap


def roles(cluster, topics):
    """Who coordinates what for the workers now."""
    group = topics.group("worker")
    slots = [f"{slot}.{turn}" for slot in range(WORKERS) for turn in range(PRODUCERS)]
    return {
        "group": cluster.coordinator(Coordinator.GROUP, group),
        **{
            f"slot {slot}": cluster.coordinator(Coordinator.TRANSACTION, f"{group}-{slot}")
            for slot in slots
        },
    }


def test_each_broker_killed_once_loses_and_doubles_nothing_and_work_goes_on(cluster, scene):
    scene.start_workers(WORKERS)
    topics, left, kills, hit = scene.settings.topics(), set(), 0, set()

    with scene.trial(1000, rate=400, ahead=ENDLESS) as trial, Pulse(trial) as pulse:
        trial.wanted = ENDLESS
        for wanted in ("slot 0.0", "group", "nothing") * scene.times:
            assert trial.await_answers(trial.answered + AFTER, SECONDS)
            held, left = roles(cluster, topics), left or set(NODES)
            node = held[wanted] if held.get(wanted) in left else min(left)
            left.remove(node)
            hit |= {name for name, holder in held.items() if holder == node}
            cluster.kill(node)
            kills += 1
            assert trial.await_answers(trial.answered + AFTER, SECONDS)
            cluster.restart(node)
        assert trial.is_sending
        trial.wanted = trial.sent + AFTER
        verdict = scene.judge(f"brokers killed, gap {pulse.longest:.1f} s", trial, kills)

    assert not left
    assert {"group", "slot 0.0"} <= hit
    assert pulse.longest < 30
    assert verdict.found == {}
