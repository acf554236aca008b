"""Workers are started and stopped under load."""

import pytest

from tests.faults.harness import FaultHarness, at_progress

pytestmark = [pytest.mark.fault, pytest.mark.real]


def test_scaling_from_one_to_four_two_and_three_workers_keeps_every_answer_in_order(
    harness: FaultHarness,
):
    harness.start_workers(1)

    with harness.start_run(20_000) as run:
        sizes = (4, 2, 3) * harness.times
        for workers, _ in zip(sizes, at_progress(run, len(sizes)), strict=True):
            harness.scale(workers)
        result = harness.finish("scale 1-4-2-3", run, len(sizes))

    assert result.fault_counts == {}
