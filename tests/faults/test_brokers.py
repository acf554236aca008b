"""Brokers that are killed while requests keep coming."""

import pytest

from tests.faults.cluster import NODES, Coordinator
from tests.faults.harness import SECONDS, marks
from tests.faults.pulse import Pulse

pytestmark = [pytest.mark.fault, pytest.mark.long, pytest.mark.real, pytest.mark.timeout(600)]

WORKERS = 3
AFTER = 500
"""Answers by which the survivors show that they have taken over, before the dead comes back."""


@pytest.fixture(scope="module")
def bootstrap(cluster):
    return cluster.bootstrap


def roles(cluster, topics):
    """Who coordinates what for the workers now."""
    group = topics.group("worker")
    return {
        "group": cluster.coordinator(Coordinator.GROUP, group),
        **{
            f"slot {slot}": cluster.coordinator(Coordinator.TRANSACTION, f"{group}-{slot}")
            for slot in range(WORKERS)
        },
    }


def test_each_broker_killed_once_loses_and_doubles_nothing_and_work_goes_on(cluster, scene):
    scene.start_workers(WORKERS)
    topics, killed = scene.settings.topics(), {}

    with scene.trial(24_000, rate=400, ahead=4_000) as trial, Pulse(trial) as pulse:
        for wanted, _ in zip(("slot 0", "group", None), marks(trial, 3), strict=True):
            held = roles(cluster, topics)
            node = held.get(wanted, min(set(NODES) - killed.keys()))
            killed[node] = [name for name, holder in held.items() if holder == node]
            cluster.kill(node)
            assert trial.await_answers(trial.answered + AFTER, SECONDS)
            cluster.restart(node)
        for _ in trial.progress(SECONDS):
            pass
        told = "; ".join(f"{node}: {', '.join(names) or '-'}" for node, names in killed.items())
        verdict = scene.judge(
            f"brokers killed ({told}), gap {pulse.longest:.1f} s", trial, len(killed)
        )

    hit = {name for names in killed.values() for name in names}
    assert sorted(killed) == sorted(NODES)
    assert {"group", "slot 0"} <= hit
    assert pulse.longest < 30
    assert verdict.found == {}
