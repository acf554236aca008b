"""Workers that are killed or asked to end while requests keep coming."""

import pytest

from tests.faults.harness import marks

pytestmark = [pytest.mark.fault, pytest.mark.real]


def test_ten_kills_three_of_them_inside_a_transaction_lose_and_double_nothing(scene):
    scene.start_workers(3)

    with scene.trial(20_000) as trial:
        for number, _ in enumerate(marks(trial, 10 * scene.times)):
            scene.gun.kill(scene.targets, inside=number % 2 == 0)
        verdict = scene.judge("kill -9", trial, scene.gun.kills, scene.gun.inside)

    assert scene.gun.kills == 10 * scene.times
    assert scene.gun.inside >= 3 * scene.times
    assert verdict.aborted > 0
    assert verdict.found == {}


def test_five_workers_asked_to_end_do_so_in_five_seconds_and_lose_and_double_nothing(scene):
    scene.start_workers(3)
    seconds, codes = [], []

    with scene.trial(10_000) as trial:
        for number, _ in enumerate(marks(trial, 5 * scene.times)):
            slot = number % 3
            seconds.append(scene.stop(slot))
            codes.append(scene.row(slot).exit_code)
            scene.start(slot)
        verdict = scene.judge(f"SIGTERM, at most {max(seconds):.1f} s", trial, len(seconds))

    assert codes == [0] * 5 * scene.times
    assert max(seconds) < 5
    assert verdict.found == {}
