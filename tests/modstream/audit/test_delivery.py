"""The audit of delivery: each test adds one fault to a stream."""

import pytest

from modstream.audit.result import evaluate
from modstream.broker.wire.contracts import SourcePosition


def test_unanswered_request_is_missing_for_every_model(story):
    story.flight("good")
    story.ask("lost")

    result = story.audit_result()

    assert result.faults == {"missing responses": 2}
    assert [model.missing for model in result.delivery.models] == [1, 1]


def test_request_answered_by_one_model_is_missing_for_the_other(story):
    story.answer(story.ask("half"), "online")

    assert story.audit_result().faults == {"missing responses": 1}


def test_second_response_of_one_model_is_a_duplicate(story):
    asked = story.ask("twice")
    for model in ("online", "online", "frozen"):
        story.answer(asked, model)

    result = story.audit_result()

    assert result.faults == {"duplicate responses": 1}
    assert [model.duplicates for model in result.delivery.models] == [1, 0]
    assert [model.predictions for model in result.delivery.models] == [0, 1]


def test_prediction_and_error_of_one_model_are_duplicates(story):
    asked = story.ask("both")
    for model in story.route:
        story.answer(asked, model)
    story.reject(asked, "frozen")

    assert story.audit_result().faults == {"duplicate responses": 1}


def test_response_to_unknown_offset_is_a_phantom(story):
    story.flight("good")
    topic = story.topics.requests
    story.answer(
        story.asked("good"), "online", source=SourcePosition(topic=topic, partition=0, offset=99)
    )

    assert story.audit_result().faults == {"phantom responses": 1}


def test_response_of_a_model_off_the_route_is_a_phantom(story):
    story.flight("good")
    story.answer(story.asked("good"), "stranger")

    assert story.audit_result().faults == {"phantom responses": 1}


def test_response_to_a_record_of_another_topic_is_a_phantom(story):
    asked = story.ask("good")
    story.reject(asked, None)
    story.answer(asked, "online", source=SourcePosition(topic="elsewhere", partition=0, offset=0))

    assert story.audit_result().faults == {"phantom responses": 1}


def test_response_with_the_id_of_another_request_is_found(story):
    asked = story.ask("mine")
    story.answer(asked, "online", id="yours")
    story.answer(asked, "frozen")

    assert story.audit_result().faults == {"responses with a wrong id": 1}


def test_error_response_counts_for_all_models_or_for_the_one_it_names(story):
    story.reject(story.ask("for all"), None, "contract_violated")
    each = story.ask("for each")
    for model in story.route:
        story.reject(each, model)

    result = story.audit_result()

    assert result.is_sound
    assert result.delivery.errors == {"wrong_type": 2, "contract_violated": 1}
    assert [model.errors for model in result.delivery.models] == [2, 2]


def test_dead_letter_accounts_for_an_unreadable_request_by_its_offset(story):
    story.dead_letter(story.ask("illegible", b"\xff{"))

    result = story.audit_result()

    assert result.is_sound
    assert result.delivery.unreadable_ids == 1
    assert result.delivery.dead_letters == {"not_json": 1}
    assert [model.dead_letters for model in result.delivery.models] == [1, 1]


def test_dead_letter_of_an_unknown_offset_is_a_phantom(story):
    asked = story.ask("good")
    story.reject(asked, None)
    story.dead_letter(asked._replace(offset=asked.offset + 5))

    assert story.audit_result().faults == {"phantom responses": 1}


def test_request_that_names_a_model_needs_a_response_of_that_model_only(story):
    story.answer(story.ask("named", model="frozen"), "frozen")

    result = story.audit_result()

    assert result.is_sound
    assert [model.requests for model in result.delivery.models] == [0, 1]


def test_request_that_violates_its_contract_is_counted_by_its_readable_id(story):
    asked = story.ask("odd", b'{"id":"odd","model":7}')
    story.reject(asked, None, "contract_violated")

    result = story.audit_result()

    assert result.is_sound
    assert result.delivery.unreadable_ids == 0


def test_same_id_sent_twice_is_two_requests(story):
    for _ in range(2):
        asked = story.ask("again")
        for model in story.route:
            story.answer(asked, model)

    result = story.audit_result()

    assert result.is_sound
    assert result.delivery.repeated_ids == 1


@pytest.mark.parametrize(("dedup_window", "missing"), [(0, 2), (10, 0)])
def test_duplicate_request_within_the_window_needs_no_response(story, dedup_window, missing):
    first = story.ask("x")
    for model in ("online", "frozen"):
        story.answer(first, model)
    story.ask("x")

    delivery = evaluate(story.audit(dedup_window)).delivery

    assert (delivery.missing, delivery.repeated_ids) == (missing, 1)
    assert delivery.deduplicated == (dedup_window > 0)


def test_response_to_a_duplicate_request_is_a_phantom(story):
    first, again = story.ask("x"), story.ask("x")
    for asked in (first, again):
        story.answer(asked, "online")
    story.answer(first, "frozen")

    assert evaluate(story.audit(dedup_window=10)).delivery.phantoms == 1
