"""The adaptive size of batches."""

import pytest

from modstream.broker.loop.batch_sizing import AdaptiveBatchSize, LinearCost
from modstream.broker.loop.ports import BatchStats, ModelCost


def observe(bound, records, seconds, costs=()):
    """Observe one handled batch."""
    bound.observe(BatchStats(records, records, seconds, costs))


def after(bound, batches, rate, size=None):
    """Observe full batches, or batches of one size, at `rate` seconds per record."""
    for _ in range(batches):
        records = size or bound.size
        observe(bound, records, records * rate)
    return bound.size


def test_under_a_backlog_batches_of_a_fast_model_double_up_to_the_maximum():
    bound = AdaptiveBatchSize(max_records=10_000, size=256)

    assert after(bound, 1, 1e-6) == 512
    assert after(bound, 6, 1e-6) == 10_000


def test_a_slow_model_gets_batches_that_fit_the_time_limit():
    bound = AdaptiveBatchSize(max_seconds=0.5, size=256)

    assert after(bound, 1, 0.1) == 5


def test_a_row_slower_than_the_time_limit_gets_a_batch_of_one():
    bound = AdaptiveBatchSize(max_seconds=0.5)

    assert after(bound, 1, 30.0) == 1


def test_one_slow_batch_is_forgotten():
    bound = AdaptiveBatchSize(max_records=10_000, max_seconds=0.5)
    after(bound, 1, 0.05)
    assert bound.size == 10

    assert after(bound, 200, 1e-5) == 10_000


def test_small_batches_do_not_shrink_the_bound():
    bound = AdaptiveBatchSize(max_records=10_000, size=2048)

    assert after(bound, 50, 1e-6, size=3) == 2048


def test_a_handler_too_fast_to_measure_gets_the_maximum():
    bound = AdaptiveBatchSize(max_records=1000, size=600)
    observe(bound, 600, 0.0)

    assert bound.size == 1000


def test_the_cost_of_a_model_is_a_line_once_its_batch_sizes_differ():
    cost = LinearCost()
    for rows in (100, 200, 400, 800):
        cost.add(rows, 0.02 + 1e-4 * rows)

    assert cost.line() == pytest.approx((1e-4, 0.02))


def test_neither_slope_nor_intercept_is_negative():
    falling, late = LinearCost(), LinearCost()
    for rows in (100, 200, 400):
        falling.add(rows, 1.0 / rows)
        late.add(rows, rows * rows * 1e-6)

    assert falling.line()[0] == 0.0
    assert late.line()[1] == 0.0


def test_a_fixed_cost_per_batch_does_not_keep_batches_small():
    bound = AdaptiveBatchSize(max_records=10_000, max_seconds=0.5, size=1)
    for _ in range(15):
        observe(bound, bound.size, 0.2 + 1e-5 * bound.size)

    assert bound.size == 10_000


def mixed(bound, **models):
    """Observe one batch of 100 records, in which each model has rows at a rate in seconds."""
    costs = [ModelCost(model, rows, rows * rate) for model, (rows, rate) in models.items()]
    observe(bound, 100, sum(cost.seconds for cost in costs), costs)
    return bound.size


def test_the_mix_of_fast_and_slow_models_decides():
    bound = AdaptiveBatchSize(max_records=10_000, max_seconds=0.5, size=1000)

    assert mixed(bound, fast=(90, 1e-6), slow=(10, 1e-2)) == pytest.approx(500, abs=2)
    assert mixed(bound, fast=(50, 1e-6), slow=(50, 1e-2)) == pytest.approx(166, abs=2)


def test_a_model_without_requests_is_forgotten():
    bound = AdaptiveBatchSize(max_records=10_000, max_seconds=0.5)
    mixed(bound, fast=(50, 1e-6), slow=(50, 1e-2))

    for _ in range(12):
        mixed(bound, fast=(100, 1e-6))

    assert set(bound.models) == {"fast"}
    assert bound.size > 150


def test_models_that_answer_the_same_requests_add_up():
    bound = AdaptiveBatchSize(max_records=10_000, max_seconds=0.5)

    assert mixed(bound, champion=(100, 2e-3), shadow=(100, 3e-3)) == 100
