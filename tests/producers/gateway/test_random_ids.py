"""Ids whose keys are in the same partition for some milliseconds."""

from collections import Counter
from functools import partial
from itertools import groupby

import pytest

from modstream.broker.wire.partitioner import partition_for_key
from modstream.producers.gateway.random_ids import SAME_PARTITION_SECONDS, RandomIds


class Clock:
    """A clock that goes on by a step with each look at it."""

    def __init__(self, step):
        self.now, self.step = 0.0, step

    def __call__(self):
        self.now += self.step
        return self.now


def draw(count, partitions, step=0.0):
    ids = RandomIds(partial(partition_for_key, partitions=partitions), Clock(step))
    return [ids.next() for _ in range(count)]


@pytest.mark.parametrize("partitions", [1, 4, 1_000])
def test_ids_are_unique_and_in_the_partition_of_their_key(partitions):
    drawn = draw(5_000, partitions, SAME_PARTITION_SECONDS / 3)

    assert len({one for one, _ in drawn}) == len(drawn)
    assert all(partition_for_key(one.encode(), partitions) == at for one, at in drawn)
    assert all(len(one) == 32 for one, _ in drawn)


def test_the_partition_stays_the_same_for_some_milliseconds():
    drawn = draw(1_000, 4, SAME_PARTITION_SECONDS / 10)

    lengths = [len(list(group)) for _, group in groupby(drawn, key=lambda one: one[1])]
    assert Counter(lengths).most_common(1)[0][0] == 10
    assert len(drawn) / len(lengths) > 8, "shorter only where the ids of a partition are used up"


def test_every_partition_gets_its_share():
    shares = Counter(at for _, at in draw(4_000, 4, SAME_PARTITION_SECONDS / 10))

    assert sorted(shares) == [0, 1, 2, 3]
    assert all(800 < count < 1_200 for count in shares.values())


def test_a_burst_uses_the_ids_of_all_partitions():
    assert len({at for _, at in draw(2_000, 32)}) == 32
