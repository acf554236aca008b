import gc
import subprocess
import sys

import pytest

from modstream.process.gc_tuning import YOUNG, seldom_collected

ENDS = """
import atexit, gc
from modstream.process.gc_tuning import uncollected_at_exit

atexit.register(lambda: print(gc.get_freeze_count()))
uncollected_at_exit()
print(gc.get_freeze_count())
"""


def test_what_is_there_is_left_out_and_all_is_as_before_in_the_end():
    before = gc.get_threshold()

    with seldom_collected():
        assert gc.get_freeze_count() > 1000
        assert gc.get_threshold() == (YOUNG, *before[1:])

    assert gc.get_freeze_count() == 0
    assert gc.get_threshold() == before


def test_all_is_as_before_after_a_failure_too():
    before = gc.get_threshold()

    with pytest.raises(RuntimeError), seldom_collected():
        raise RuntimeError

    assert gc.get_threshold() == before


def test_what_ends_with_the_process_is_not_looked_through():
    ended = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, check=True)

    before, in_the_end = map(int, ended.stdout.split())
    assert before == 0
    assert in_the_end > 1000
