"""How large a batch may be."""

import pytest

from modstream.broker.loop.batch_sizing import Cost, Pace


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

    assert after(pace, 200, 1e-5) == 10_000


def test_small_batches_say_nothing_against_large_ones():
    pace = Pace(most=10_000, size=2048)

    assert after(pace, 50, 1e-6, size=3) == 2048


def test_a_handler_too_quick_to_be_measured_gets_the_most():
    pace = Pace(most=1000, size=600)
    pace.took(600, 0.0)

    assert pace.size == 1000


def test_a_models_cost_is_a_line_once_its_batches_differ():
    cost = Cost()
    for rows in (100, 200, 400, 800):
        cost.note(rows, 0.02 + 1e-4 * rows)

    assert cost.line() == pytest.approx((1e-4, 0.02))


def test_a_line_never_falls_and_never_begins_below_nothing():
    falling, late = Cost(), Cost()
    for rows in (100, 200, 400):
        falling.note(rows, 1.0 / rows)
        late.note(rows, rows * rows * 1e-6)

    assert falling.line()[0] == 0.0
    assert late.line()[1] == 0.0


def test_what_a_batch_costs_whatever_its_size_does_not_keep_it_small():
    pace = Pace(most=10_000, seconds=0.5, size=1)
    for _ in range(15):
        pace.took(pace.size, 0.2 + 1e-5 * pace.size)

    assert pace.size == 10_000


def turn(pace, seconds_besides=0.0, **models):
    """One batch of 100 records, in which each model has rows at a rate."""
    for model, (rows, rate) in models.items():
        pace.note(model, rows, rows * rate)
    taken = sum(rows * rate for rows, rate in models.values())
    pace.took(100, taken + seconds_besides)
    return pace.size


def test_the_mix_of_quick_and_slow_models_decides():
    pace = Pace(most=10_000, seconds=0.5, size=1000)

    assert turn(pace, quick=(90, 1e-6), slow=(10, 1e-2)) == pytest.approx(500, abs=2)
    assert turn(pace, quick=(50, 1e-6), slow=(50, 1e-2)) == pytest.approx(166, abs=2)


def test_a_model_that_nobody_asks_any_more_is_forgotten():
    pace = Pace(most=10_000, seconds=0.5)
    turn(pace, quick=(50, 1e-6), slow=(50, 1e-2))

    for _ in range(12):
        turn(pace, quick=(100, 1e-6))

    assert set(pace.models) == {"quick"}
    assert pace.size > 150


def test_a_model_that_is_asked_with_others_counts_with_them():
    pace = Pace(most=10_000, seconds=0.5)

    assert turn(pace, champion=(100, 2e-3), shadow=(100, 3e-3)) == 100
