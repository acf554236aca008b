"""One-sided tests of means, of independent rows and of rows in blocks."""

import numpy as np
import pytest
from scipy import stats

from modstream.models.evaluation.monitoring.mean_tests import BlockSamples, RowSamples


def samples(*values) -> RowSamples:
    return RowSamples(
        np.array([float(len(one)) for one in values]),
        np.array([one.sum() for one in values]),
        np.array([(one**2).sum() for one in values]),
    )


def blocks(values, numbers, count: int) -> BlockSamples:
    return BlockSamples(
        np.bincount(numbers, minlength=count).astype(float)[None],
        np.bincount(numbers, values, count)[None],
    )


def test_independent_rows_are_compared_as_scipy_does():
    rng = np.random.default_rng(1)
    first, second = rng.exponential(1.2, 80), rng.exponential(1.0, 300)

    (found,) = samples(first).greater(samples(second))

    expected = stats.ttest_ind(first, second, equal_var=False, alternative="greater").pvalue
    assert found == pytest.approx(expected, rel=1e-9)


def test_samples_that_cannot_be_compared_have_the_p_value_1():
    one, many, constant = np.array([3.0]), np.arange(9.0), np.ones(5)

    found = samples(one, constant, constant + 1).greater(samples(many, constant, constant))

    assert found.tolist() == [1.0, 1.0, 0.0]


def test_blocks_of_one_row_each_are_nearly_independent_rows():
    rng = np.random.default_rng(2)
    first, second = rng.normal(0.15, 1, 400), rng.normal(0, 1, 1600)
    alone = samples(first).greater(samples(second))

    by_block = blocks(first, np.arange(400), 2000).greater(
        blocks(second, np.arange(400, 2000), 2000)
    )

    assert by_block == pytest.approx(alone, rel=0.1)


def test_sample_of_one_block_is_never_greater():
    found = blocks(np.full(50, 9.0), np.zeros(50, int), 20).greater(
        blocks(np.zeros(200), np.arange(200) % 20, 20)
    )

    assert found.tolist() == [1.0]


@pytest.mark.parametrize("block_count", [20, 100])
def test_share_of_false_alarms_is_the_level_although_rows_of_a_block_are_alike(block_count):
    rng = np.random.default_rng(3)
    by_block, by_row = [], []
    for _ in range(600):
        shared = rng.normal(0, 1, block_count)
        numbers = np.repeat(np.arange(block_count), 30)
        values = shared[numbers] + rng.normal(0, 1, len(numbers))
        inside = rng.random(block_count)[numbers] < 0.5
        first, second = values[inside], values[~inside]
        found = blocks(first, numbers[inside], block_count).greater(
            blocks(second, numbers[~inside], block_count)
        )
        by_block.append(found[0] < 0.05)
        by_row.append(samples(first).greater(samples(second))[0] < 0.05)

    assert np.mean(by_block) == pytest.approx(0.05, abs=0.035)
    assert np.mean(by_row) > 0.2
