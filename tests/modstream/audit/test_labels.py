"""The audit of labels: each test adds one fault to a stream."""

import pytest

from modstream.broker.wire.contracts import UnjoinedReason
from modstream.broker.wire.topics import Header


def test_each_label_has_an_outcome(story):
    story.flight("joined")
    for reason in UnjoinedReason:
        asked = story.ask(reason)
        story.reject(asked, None)
        if reason is not UnjoinedReason.MISSING:
            story.label(reason)
        story.set_aside(reason, reason)

    result = story.audit_result()

    assert result.is_sound
    assert result.labels.sent == len(UnjoinedReason)
    assert result.labels.joined == 1
    assert set(result.labels.unjoined.values()) == {1}


def test_label_without_an_outcome_is_found(story):
    asked = story.ask("answered")
    for model in story.route:
        story.answer(asked, model)
    story.label("answered")
    story.label("never asked")

    result = story.audit_result()

    assert result.faults == {"labels not accounted for": 2}
    assert result.labels.without_prediction == 1


def test_copy_of_a_forwarded_label_does_not_count(story):
    story.flight("moved")
    label = next(one for one in story.records if one.topic == story.topics.labels)
    story.write(label.topic, "moved", label.value, ((Header.FORWARDED_FROM, b"labels:1:0"),))

    result = story.audit_result()

    assert result.is_sound
    assert result.labels.sent == result.labels.joined == 1


def test_join_without_a_label_is_found(story):
    asked = story.ask("early")
    answers = [story.answer(asked, model) for model in story.route]
    story.join("early", *answers)

    faults = story.audit_result().faults

    assert faults["joins without a label"] == 1


@pytest.mark.parametrize("change", [{"version": 2}, {"outputs": {"probability": 0.75}}])
def test_join_that_differs_from_the_prediction_is_found(story, change):
    asked = story.ask("bent")
    online, frozen = (story.answer(asked, model) for model in story.route)
    story.label("bent")
    story.join("bent", online.model_copy(update=change), frozen)

    assert story.audit_result().faults == {"joins with altered content": 1}


def test_join_with_another_label_is_found_for_every_model(story):
    asked = story.ask("bent")
    answers = [story.answer(asked, model) for model in story.route]
    story.label("bent", label=True)
    story.join("bent", *answers, label=False)

    assert story.audit_result().faults == {"joins with altered content": 2}


def test_repeated_joins_are_counted_but_are_not_a_fault(story):
    asked = story.ask("again")
    answers = [story.answer(asked, model) for model in story.route]
    story.label("again")
    for _ in range(2):
        story.join("again", *answers)

    result = story.audit_result()

    assert result.is_sound
    assert result.labels.repeated_joins == 2


def test_unreadable_label_is_counted_but_is_not_a_fault_of_the_stream(story):
    story.write(story.topics.labels, "odd", b"{")

    result = story.audit_result()

    assert result.is_sound
    assert result.labels.unreadable == 1
