"""Brokers are killed under load."""

import pytest

from modstream.broker.client.delivery import PRODUCER_COUNT
from tests.faults.cluster import NODES, Cluster, CoordinatorType
from tests.faults.harness import ENDLESS, TIMEOUT_SECONDS, FaultHarness
from tests.faults.liveness import LivenessMonitor

pytestmark = [pytest.mark.fault, pytest.mark.real, pytest.mark.cluster]

WORKERS = 3
ANSWERS_AFTER = 500
"""Answers after a kill, which show that the others have taken over before the node restarts."""


@pytest.fixture
def bootstrap(cluster: Cluster):
    return cluster.bootstrap


def coordinators(cluster: Cluster, topics):
    """Return the coordinators of the workers' group and of their transactional ids."""
    group = topics.group("worker")
    producers = [f"{worker}.{n}" for worker in range(WORKERS) for n in range(PRODUCER_COUNT)]
    return {
        "group": cluster.coordinator(CoordinatorType.GROUP, group),
        **{
            f"producer {name}": cluster.coordinator(CoordinatorType.TRANSACTION, f"{group}-{name}")
            for name in producers
        },
    }


def test_after_each_broker_is_killed_once_nothing_is_lost_or_duplicated_and_work_continues(
    cluster: Cluster, harness: FaultHarness
):
    harness.start_workers(WORKERS)
    topics, remaining, kills, lost_roles = harness.settings.topics(), set(), 0, set()

    with (
        harness.start_run(1000, rate=400, max_in_flight=ENDLESS) as run,
        LivenessMonitor(run) as liveness,
    ):
        run.target = ENDLESS
        for wanted in ("producer 0.0", "group", "nothing") * harness.times:
            assert run.wait_for_answers(run.answered + ANSWERS_AFTER, TIMEOUT_SECONDS)
            roles, remaining = coordinators(cluster, topics), remaining or set(NODES)
            node = roles[wanted] if roles.get(wanted) in remaining else min(remaining)
            remaining.remove(node)
            lost_roles |= {name for name, holder in roles.items() if holder == node}
            with cluster.without(node):
                kills += 1
                assert run.wait_for_answers(run.answered + ANSWERS_AFTER, TIMEOUT_SECONDS)
        assert run.is_sending
        run.target = run.sent + ANSWERS_AFTER
        result = harness.finish(f"brokers killed, gap {liveness.longest_gap:.1f} s", run, kills)

    assert not remaining
    assert {"group", "producer 0.0"} <= lost_roles
    assert liveness.longest_gap < 30
    assert result.fault_counts == {}
