"""The account of labels that are revised, released, or late; and of answers without one yet."""

import pytest

from modstream.broker.wire.contracts import Feedback, Metrics, Scored, UnjoinedReason
from modstream.broker.wire.topics import Header
from modstream.report.tables import sheets
from tests.modstream.stream_builder import NEW_YEAR


def told(figures, title):
    """A table's lines and cells as one text."""
    sheet = next(sheet for sheet in sheets(figures) if sheet.title.startswith(title))
    return "\n".join([*map(str, sheet.rows), *sheet.lines])


def test_a_revised_label_is_the_truth_of_the_answer_and_no_second_join(story):
    story.flight("a", 0.75, label=True)
    story.label("a", label=False, revision=1)
    story.set_aside("a", UnjoinedReason.REVISED)
    corrected = Feedback(
        id="a", label=False, predictions=(
            Scored(model="online", version=1, outputs={"probability": 0.75}),
            Scored(model="frozen", version=1, outputs={"probability": 0.5}),
        ),
        event_time=NEW_YEAR, label_time=NEW_YEAR + 2, revises=True,
    )  # fmt: skip
    story.write(story.topics.feedback, "a", corrected)

    figures = story.figures()

    assert figures.sound, figures.faults
    assert (figures.labels.joined, figures.labels.repeats) == (1, 0)
    assert figures.quality[0].log_loss == pytest.approx(1.386, abs=1e-3)


def test_a_correction_with_a_label_that_nobody_sent_distorts(story):
    story.flight("a", label=True)
    forged = Feedback(
        id="a", label=False, event_time=NEW_YEAR, label_time=NEW_YEAR + 2, revises=True,
        predictions=(Scored(model="online", version=1, outputs={"probability": 0.5}),),
    )  # fmt: skip
    story.write(story.topics.feedback, "a", forged)

    assert story.figures().faults == {"joins that distort": 1}


@pytest.mark.parametrize(("learned", "fault"), [(1, {}), (0, {"rows skipped by online": 1})])
def test_a_released_row_is_to_be_learned_by_the_model_that_refused_it(story, learned, fault):
    refused = story.flight("odd")
    story.quarantine(refused)
    headers = ((Header.REDRIVE_OF, b"flights.quarantine:0:0"), (Header.MODEL, b"online"))
    story.write(story.topics.feedback, "odd", refused.value, headers)
    story.publish(learned=learned)

    assert story.figures().faults == fault


def test_a_row_that_was_released_for_another_model_need_not_be_learned_twice(story):
    row = story.flight("odd")
    headers = ((Header.REDRIVE_OF, b"flights.quarantine:0:0"), (Header.MODEL, b"other"))
    story.write(story.topics.feedback, "odd", row.value, headers)
    story.publish(learned=1)

    assert story.figures().sound


def test_the_report_says_how_late_labels_come_and_how_many_answers_have_none_yet(story):
    story.flight("labelled")
    asked = story.ask("waiting")
    for model in story.route:
        story.answer(asked, model)
    hours = {3_600_000: 98.0, 7_200_000: 2.0}
    delays = {str(bound): count for bound, count in hours.items()}
    story.write(story.topics.metrics, "label_delay", Metrics(kind="label_delay", values=delays))

    figures = story.figures()

    assert figures.quality[0].coverage == pytest.approx(0.5)
    assert "50%" in told(figures, "Quality")
    assert "labels came within: 50% 60 min, 90% 60 min, 99% 2 h" in told(figures, "Labels")
