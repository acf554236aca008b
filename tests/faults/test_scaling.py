"""Workers that come and go under load."""

import pytest

from tests.faults.harness import marks

pytestmark = [pytest.mark.fault, pytest.mark.real]


def test_one_worker_four_two_and_three_keep_every_answer_and_the_order_of_every_key(scene):
    scene.start_workers(1)

    with scene.trial(20_000) as trial:
        sizes = (4, 2, 3) * scene.times
        for workers, _ in zip(sizes, marks(trial, len(sizes)), strict=True):
            scene.scale(workers)
        verdict = scene.judge("scale 1-4-2-3", trial, len(sizes))

    assert verdict.found == {}
