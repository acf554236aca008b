"""The account of labels that are revised, released, or late; and of answers without one yet."""

import pytest

from modstream.broker.wire.contracts import Feedback, JoinedPrediction, UnjoinedReason
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.topics import Header
from modstream.report.tables import report_tables
from tests.modstream.stream_builder import NEW_YEAR


def table_text(result, title):
    """A table's lines and cells as one text."""
    table = next(table for table in report_tables(result) if table.title.startswith(title))
    return "\n".join([*map(str, table.rows), *table.notes])


def test_revised_label_replaces_the_label_without_a_second_join(story):
    story.flight("a", 0.75, label=True)
    story.label("a", label=False, revision=1)
    story.set_aside("a", UnjoinedReason.REVISED)
    corrected = Feedback(
        id="a", label=False, predictions=(
            JoinedPrediction(model="online", version=1, outputs={"probability": 0.75}),
            JoinedPrediction(model="frozen", version=1, outputs={"probability": 0.5}),
        ),
        event_time=NEW_YEAR, label_time=NEW_YEAR + 2, revises=True,
    )  # fmt: skip
    story.write(story.topics.feedback, "a", corrected)

    result = story.audit_result()

    assert result.is_sound, result.faults
    assert (result.labels.joined, result.labels.repeated_joins) == (1, 0)
    assert result.quality[0].log_loss == pytest.approx(1.386, abs=1e-3)


def test_revision_with_a_label_that_was_never_sent_alters_the_join(story):
    story.flight("a", label=True)
    forged = Feedback(
        id="a", label=False, event_time=NEW_YEAR, label_time=NEW_YEAR + 2, revises=True,
        predictions=(JoinedPrediction(model="online", version=1, outputs={"probability": 0.5}),),
    )  # fmt: skip
    story.write(story.topics.feedback, "a", forged)

    assert story.audit_result().faults == {"joins with altered content": 1}


@pytest.mark.parametrize(("learned", "fault"), [(1, {}), (0, {"rows skipped by online": 1})])
def test_released_row_must_be_learned_by_the_model_that_rejected_it(story, learned, fault):
    refused = story.flight("odd")
    story.quarantine(refused)
    headers = ((Header.REDRIVE_OF, b"flights.quarantine:0:0"), (Header.MODEL, b"online"))
    story.write(story.topics.feedback, "odd", refused.value, headers)
    story.publish(rows_learned=learned)

    assert story.audit_result().faults == fault


def test_row_released_for_another_model_need_not_be_learned_twice(story):
    row = story.flight("odd")
    headers = ((Header.REDRIVE_OF, b"flights.quarantine:0:0"), (Header.MODEL, b"other"))
    story.write(story.topics.feedback, "odd", row.value, headers)
    story.publish(rows_learned=1)

    assert story.audit_result().is_sound


def test_report_shows_label_delays_and_the_share_of_labelled_predictions(story):
    story.flight("labelled")
    asked = story.ask("waiting")
    for model in story.route:
        story.answer(asked, model)
    hours = {3_600_000: 98.0, 7_200_000: 2.0}
    delays = {str(bound): count for bound, count in hours.items()}
    story.write(story.topics.metrics, "label_delay", Metrics(kind="label_delay", values=delays))

    result = story.audit_result()

    assert result.quality[0].coverage == pytest.approx(0.5)
    assert "50%" in table_text(result, "Quality")
    assert "labels arrived within: 50% 60 min, 90% 60 min, 99% 2 h" in table_text(result, "Labels")
