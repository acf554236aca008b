"""The audit of learning: each test adds one fault to a stream."""

import pytest


def test_chain_of_versions_that_learned_each_row_once_is_sound(story):
    for number in range(9):
        story.flight(f"flight-{number}")
        if number % 3 == 2:
            story.publish()

    (learning,) = story.audit_result().learning

    assert learning.is_sound
    assert (learning.versions, learning.checked_links, learning.rows_learned) == (3, 3, 9)
    assert learning.rows_pending == 0


def test_version_that_starts_before_its_parents_end_learned_rows_twice(story):
    story.flight("one")
    story.publish()
    story.flight("two")
    story.publish(first_offsets={}, rows_learned=3)

    result = story.audit_result()

    assert result.faults == {"rows learned twice by online": 1}


def test_version_that_starts_after_its_parents_end_skipped_rows(story):
    story.flight("one")
    story.publish()
    story.flight("two")
    ends = story.publish().offsets
    story.versions = 1
    story.publish(first_offsets=ends, rows_learned=1)

    assert story.audit_result().faults == {"rows skipped by online": 1}


@pytest.mark.parametrize(
    ("learned", "fault"), [(4, "rows learned twice by online"), (2, "rows skipped by online")]
)
def test_version_that_learned_more_or_fewer_rows_than_its_range_is_found(story, learned, fault):
    for number in range(3):
        story.flight(f"flight-{number}")
    story.publish(rows_learned=learned)

    assert story.audit_result().faults == {fault: 1}


def test_quarantined_and_repeated_rows_need_not_be_learned(story):
    story.quarantine(story.flight("bad"))
    story.repeat(story.flight("good"))
    story.publish(rows_learned=1)

    result = story.audit_result()

    assert result.is_sound
    assert result.learning[0].rows_quarantined == {"out_of_range": 1}


def test_version_of_an_unannounced_parent_is_a_fault_if_rows_precede_it(story):
    story.flight("one")
    ends = {f"{story.topics.feedback}:{partition}": 1 for partition in range(2)}
    story.publish(version=9, parent=8, first_offsets=ends, offsets=ends, rows_learned=1)

    assert story.audit_result().faults == {"versions of online without a parent": 1}


def test_rows_after_the_newest_version_are_pending(story):
    story.flight("learned")
    story.publish()
    story.flight("waiting")

    result = story.audit_result()

    assert result.is_sound
    assert result.learning[0].rows_pending == 1
