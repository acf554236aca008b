"""The counts of a learner over several processes."""

from modstream.processors.learn.counts import LearnerCounts


def test_a_learner_that_continues_from_a_version_counts_on():
    first = LearnerCounts(learned=1500, seen=1600, repeated=3, quarantined=97, unscored=4)

    second = LearnerCounts.of_version({**first.totals(), "event_time": 1.0, "test_number": 1.0})

    assert (second.learned, second.seen, second.repeated, second.quarantined) == (1500, 1600, 3, 97)
    assert second.unscored == 0


def test_a_version_of_an_earlier_release_has_only_learned():
    assert LearnerCounts.of_version({"learned": 7.0}) == LearnerCounts(learned=7)


def test_counts_of_zero_are_not_kept():
    assert LearnerCounts(seen=2).totals() == {"learned": 0, "seen": 2}
