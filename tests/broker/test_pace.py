"""How large a batch may be."""

from broker.pace import Pace


def after(pace, turns, rate, size=None):
    """Take full batches, or batches of one size, at a rate in seconds a record."""
    for _ in range(turns):
        records = size or pace.size
        pace.took(records, records * rate)
    return pace.size


def test_a_quick_model_under_a_backlog_gets_batches_that_double_up_to_the_most():
    pace = Pace(most=10_000, size=256)

    assert after(pace, 1, 1e-6) == 512
    assert after(pace, 6, 1e-6) == 10_000


def test_a_slow_model_gets_what_it_can_do_in_time():
    pace = Pace(seconds=0.5, size=256)

    assert after(pace, 1, 0.1) == 5


def test_a_row_that_takes_longer_than_there_is_time_comes_alone():
    pace = Pace(seconds=0.5)

    assert after(pace, 1, 30.0) == 1


def test_one_stutter_is_forgotten_in_time():
    pace = Pace(most=10_000, seconds=0.5)
    after(pace, 1, 0.05)
    assert pace.size == 10

    assert after(pace, 100, 1e-5) == 10_000


def test_small_batches_say_nothing_against_large_ones():
    pace = Pace(most=10_000, size=2048)

    assert after(pace, 50, 1e-6, size=3) == 2048


def test_a_handler_too_quick_to_be_measured_gets_the_most():
    pace = Pace(most=1000, size=600)
    pace.took(600, 0.0)

    assert pace.size == 1000
