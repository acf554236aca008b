import gc
import subprocess
import sys

import pytest

from modstream.process.gc_tuning import YOUNG_THRESHOLD, relaxed_gc

pytestmark = pytest.mark.slow

PROGRAM = """
import atexit, gc
from modstream.process.gc_tuning import skip_gc_at_exit

atexit.register(lambda: print(gc.get_freeze_count()))
skip_gc_at_exit()
print(gc.get_freeze_count())
"""


def test_existing_objects_are_frozen_and_the_settings_restored():
    before = gc.get_threshold()

    with relaxed_gc():
        assert gc.get_freeze_count() > 1000
        assert gc.get_threshold() == (YOUNG_THRESHOLD, *before[1:])

    assert gc.get_freeze_count() == 0
    assert gc.get_threshold() == before


def test_settings_are_restored_after_an_exception():
    before = gc.get_threshold()

    with pytest.raises(RuntimeError), relaxed_gc():
        raise RuntimeError

    assert gc.get_threshold() == before


def test_objects_are_frozen_at_exit():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )

    before, at_exit = map(int, done.stdout.split())
    assert before == 0
    assert at_exit > 1000
