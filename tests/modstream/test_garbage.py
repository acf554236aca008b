import gc

import pytest

from modstream.garbage import YOUNG, seldom_collected


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
