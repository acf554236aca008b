"""The account finds what is wrong with a stream, and by how much. Faults are seeded one by one."""

import pytest

from modstream.audit.figures import figures_of
from modstream.audit.stream_audit import Ledger
from modstream.broker.wire.contracts import Source, UnjoinedReason
from tests.modstream.stream_builder import NEW_YEAR, NOW


def test_a_stream_without_a_fault_is_sound(season):
    assert season.sound
    assert season.faults == {}
    assert [model.answered for model in season.delivery.models] == [4000, 4000, 0]
    assert season.labels.joined == 4000
    assert season.learning[0].learned == 4000


def test_an_empty_stream_is_sound_and_has_figures(story):
    figures = story.figures()

    assert figures.sound
    assert figures.delivery.requests == 0
    assert figures.pace.throughput.mean == 0


def test_the_order_of_topics_does_not_matter(story):
    story.season(60, days=3, swaps=3)
    ledger = Ledger(story.topics, story.route)

    for record in sorted(story.records, key=lambda record: record.topic, reverse=True):
        ledger.add(record)

    assert figures_of(ledger).delivery == story.figures().delivery
    assert figures_of(ledger).labels == story.figures().labels


def test_a_request_that_nobody_answers_is_missed_by_every_model(story):
    story.flight("good")
    story.ask("lost")

    figures = story.figures()

    assert figures.faults == {"missing answers": 2}
    assert [model.unanswered for model in figures.delivery.models] == [1, 1]


def test_a_request_that_one_model_answers_is_missed_by_the_other(story):
    story.answer(story.ask("half"), "online")

    assert story.figures().faults == {"missing answers": 1}


def test_a_request_that_is_answered_twice_by_one_model_is_found(story):
    asked = story.ask("twice")
    for model in ("online", "online", "frozen"):
        story.answer(asked, model)

    figures = story.figures()

    assert figures.faults == {"repeated answers": 1}
    assert [model.repeated for model in figures.delivery.models] == [1, 0]
    assert [model.answered for model in figures.delivery.models] == [0, 1]


def test_an_answer_and_an_error_are_one_way_out_too_many(story):
    asked = story.ask("both")
    for model in story.route:
        story.answer(asked, model)
    story.refuse(asked, "frozen")

    assert story.figures().faults == {"repeated answers": 1}


def test_an_answer_to_what_was_never_asked_is_a_phantom(story):
    story.flight("good")
    topic = story.topics.requests
    story.answer(story.asked("good"), "online", source=Source(topic=topic, partition=0, offset=99))

    assert story.figures().faults == {"phantom answers": 1}


def test_an_answer_of_a_model_that_was_not_asked_is_a_phantom(story):
    story.flight("good")
    story.answer(story.asked("good"), "stranger")

    assert story.figures().faults == {"phantom answers": 1}


def test_an_answer_to_a_record_of_another_topic_is_a_phantom(story):
    asked = story.ask("good")
    story.refuse(asked, None)
    story.answer(asked, "online", source=Source(topic="elsewhere", partition=0, offset=0))

    assert story.figures().faults == {"phantom answers": 1}


def test_an_answer_under_the_id_of_another_request_is_found(story):
    asked = story.ask("mine")
    story.answer(asked, "online", id="yours")
    story.answer(asked, "frozen")

    assert story.figures().faults == {"answers under a wrong id": 1}


def test_one_error_answer_speaks_for_all_models_or_for_its_own(story):
    story.refuse(story.ask("for all"), None, "contract_violated")
    each = story.ask("for each")
    for model in story.route:
        story.refuse(each, model)

    figures = story.figures()

    assert figures.sound
    assert figures.delivery.errors == {"wrong_type": 2, "contract_violated": 1}
    assert [model.refused for model in figures.delivery.models] == [2, 2]


def test_a_dead_letter_accounts_for_an_illegible_request_by_its_offset(story):
    story.bury(story.ask("illegible", b"\xff{"))

    figures = story.figures()

    assert figures.sound
    assert figures.delivery.illegible == 1
    assert figures.delivery.dead_letters == {"not_json": 1}
    assert [model.dead for model in figures.delivery.models] == [1, 1]


def test_a_dead_letter_of_a_request_that_was_never_sent_is_a_phantom(story):
    asked = story.ask("good")
    story.refuse(asked, None)
    story.bury(asked._replace(offset=asked.offset + 5))

    assert story.figures().faults == {"phantom answers": 1}


def test_a_request_that_names_a_model_is_answered_by_that_model_alone(story):
    story.answer(story.ask("named", model="frozen"), "frozen")

    figures = story.figures()

    assert figures.sound
    assert [model.asked for model in figures.delivery.models] == [0, 1]


def test_a_request_that_breaks_its_contract_is_counted_under_its_legible_id(story):
    asked = story.ask("odd", b'{"id":"odd","model":7}')
    story.refuse(asked, None, "contract_violated")

    figures = story.figures()

    assert figures.sound
    assert figures.delivery.illegible == 0


def test_the_same_id_sent_twice_is_two_requests(story):
    for _ in range(2):
        asked = story.ask("again")
        for model in story.route:
            story.answer(asked, model)

    figures = story.figures()

    assert figures.sound
    assert figures.delivery.repeated_ids == 1


def test_every_label_has_a_fate(story):
    story.flight("joined")
    for reason in UnjoinedReason:
        asked = story.ask(reason)
        story.refuse(asked, None)
        if reason is not UnjoinedReason.MISSING:
            story.label(reason)
        story.set_aside(reason, reason)

    figures = story.figures()

    assert figures.sound
    assert figures.labels.sent == 5
    assert figures.labels.joined == 1
    assert set(figures.labels.reasons.values()) == {1}


def test_a_label_that_nothing_accounts_for_is_found(story):
    asked = story.ask("answered")
    for model in story.route:
        story.answer(asked, model)
    story.label("answered")
    story.label("never asked")

    figures = story.figures()

    assert figures.faults == {"labels unaccounted": 2}
    assert figures.labels.waiting == 1


def test_a_join_without_a_label_is_found(story):
    asked = story.ask("early")
    answers = [story.answer(asked, model) for model in story.route]
    story.join("early", *answers)

    faults = story.figures().faults

    assert faults["joins without a label"] == 1


@pytest.mark.parametrize("change", [{"version": 2}, {"outputs": {"probability": 0.75}}])
def test_a_join_that_says_other_than_the_prediction_is_found(story, change):
    asked = story.ask("bent")
    online, frozen = (story.answer(asked, model) for model in story.route)
    story.label("bent")
    story.join("bent", online.model_copy(update=change), frozen)

    assert story.figures().faults == {"joins that distort": 1}


def test_a_join_with_another_label_is_found_for_every_model(story):
    asked = story.ask("bent")
    answers = [story.answer(asked, model) for model in story.route]
    story.label("bent", label=True)
    story.join("bent", *answers, label=False)

    assert story.figures().faults == {"joins that distort": 2}


def test_answers_joined_again_are_counted_and_no_fault(story):
    asked = story.ask("again")
    answers = [story.answer(asked, model) for model in story.route]
    story.label("again")
    for _ in range(2):
        story.join("again", *answers)

    figures = story.figures()

    assert figures.sound
    assert figures.labels.repeats == 2


def test_a_chain_of_versions_that_learned_every_row_once_is_sound(story):
    for number in range(9):
        story.flight(f"flight-{number}")
        if number % 3 == 2:
            story.publish()

    (learning,) = story.figures().learning

    assert learning.sound
    assert (learning.published, learning.links, learning.learned) == (3, 3, 9)
    assert learning.waiting == 0


def test_a_version_that_begins_before_its_parent_ended_learned_rows_twice(story):
    story.flight("one")
    story.publish()
    story.flight("two")
    story.publish(learned_from={}, learned=3)

    figures = story.figures()

    assert figures.faults == {"rows learned twice by online": 1}


def test_a_version_that_begins_after_its_parent_ended_skipped_rows(story):
    story.flight("one")
    story.publish()
    story.flight("two")
    ends = story.publish().offsets
    story.versions = 1
    story.publish(learned_from=ends, learned=1)

    assert story.figures().faults == {"rows skipped by online": 1}


@pytest.mark.parametrize(
    ("learned", "fault"), [(4, "rows learned twice by online"), (2, "rows skipped by online")]
)
def test_a_version_that_learned_more_or_fewer_rows_than_its_share_is_found(story, learned, fault):
    for number in range(3):
        story.flight(f"flight-{number}")
    story.publish(learned=learned)

    assert story.figures().faults == {fault: 1}


def test_quarantined_and_repeated_rows_need_not_be_learned(story):
    story.quarantine(story.flight("bad"))
    story.repeat(story.flight("good"))
    story.publish(learned=1)

    figures = story.figures()

    assert figures.sound
    assert figures.learning[0].quarantined == {"out_of_range": 1}


def test_a_version_whose_parent_nobody_announced_is_found_where_rows_lie_before_it(story):
    story.flight("one")
    ends = {f"{story.topics.feedback}:{partition}": 1 for partition in range(2)}
    story.publish(version=9, parent=8, learned_from=ends, offsets=ends, learned=1)

    assert story.figures().faults == {"versions of online without a parent": 1}


def test_rows_beyond_the_newest_version_wait(story):
    story.flight("learned")
    story.publish()
    story.flight("waiting")

    figures = story.figures()

    assert figures.sound
    assert figures.learning[0].waiting == 1


def test_a_record_that_breaks_its_contract_is_a_fault_of_ours(story):
    story.write(story.topics.unjoined, "odd", b"{}")

    assert story.figures().faults == {"broken records in flights.unjoined": 1}


def test_a_label_that_cannot_be_read_is_its_senders_fault(story):
    story.write(story.topics.labels, "odd", b"{")

    figures = story.figures()

    assert figures.sound
    assert figures.labels.illegible == 1


def test_quality_is_computed_from_predictions_and_labels_by_id(story):
    for number in range(40):
        late = number % 2 == 0
        story.flight(f"{number}", 0.9 if late else 0.1, label=late, frozen=0.5)

    online, frozen = story.figures().quality

    assert online.pairs == online.joined == 40
    assert online.auc == pytest.approx(1.0)
    assert online.log_loss == pytest.approx(0.10536, abs=1e-5)
    assert frozen.auc == pytest.approx(0.5)


def test_values_and_anomalies_have_figures_of_their_own(story):
    for number in range(4):
        asked = story.ask(f"{number}")
        story.answer(asked, "online", outputs={"value": number + 1.0})
        story.answer(asked, "frozen", outputs={"score": 7.0 * number})
        story.label(f"{number}", label=number >= 2)

    values, anomalies = story.figures().quality

    assert values.figures == pytest.approx({"mae": 2.0, "rmse": 4.5**0.5, "r2": -17.0})
    assert anomalies.figures == {"auc": 1.0}
    assert values.pairs == anomalies.pairs == 0


def test_quality_over_event_time_shows_the_model_that_falls_behind(season):
    online, frozen = season.quality

    assert len(online.bins) == 43
    assert online.span.first == NEW_YEAR == online.bins[0].start
    assert sum(each.pairs for each in online.bins) == 4000
    assert online.bins[-2].auc > frozen.bins[-2].auc + 0.05


def test_versions_are_listed_as_they_took_over(story):
    for number, version in enumerate((1, 1, 2, 4)):
        story.flight(f"{number}", version=version, event_time=NEW_YEAR + number)

    online, frozen = story.figures().quality

    assert [served.version for served in online.versions] == [1, 2, 4]
    assert [served.event_time - NEW_YEAR for served in online.versions] == [0, 2, 3]
    assert (online.swaps, frozen.swaps) == (2, 0)


def test_latency_runs_from_the_request_to_the_append_of_its_answer(story):
    for number in range(100):
        story.flight(f"{number}", after=500 if number == 99 else 20)

    online, _ = story.figures().pace.latency

    assert (online.p50, online.max) == (20, 500)
    assert online.curve[-1] == (100, 500)


def test_throughput_counts_requests_per_second(story):
    for number in range(300):
        story.flight(f"{number}")

    flow = story.figures().pace.throughput

    assert flow.peak == 100
    assert flow.mean == pytest.approx(100, rel=0.02)
    assert flow.times == (0, 1, 2)


def test_lag_is_told_as_it_was_sampled(story):
    story.flight("one")
    story.lag(NOW + 2010, worker=3, joiner=0)

    (lag,) = story.figures().pace.lag

    assert lag.at == 2.0
    assert lag.waiting == {"worker": 3, "joiner": 0}


@pytest.mark.parametrize(("repeats", "missing"), [(0, 2), (10, 0)])
def test_a_request_sent_again_shortly_after_is_owed_no_answer(story, repeats, missing):
    first = story.ask("x")
    for model in ("online", "frozen"):
        story.answer(first, model)
    story.ask("x")

    delivery = figures_of(story.ledger(repeats)).delivery

    assert (delivery.unanswered, delivery.repeated_ids) == (missing, 1)
    assert delivery.passed_over == (repeats > 0)


def test_an_answer_to_a_request_that_was_to_be_passed_over_is_a_phantom(story):
    first, again = story.ask("x"), story.ask("x")
    for asked in (first, again):
        story.answer(asked, "online")
    story.answer(first, "frozen")

    assert figures_of(story.ledger(repeats=10)).delivery.phantoms == 1
