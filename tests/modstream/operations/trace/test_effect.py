"""The effect of a label: losses, impact on the metrics, learning."""

import math

import pytest

from modstream.broker.wire.contracts import Quarantined, SourcePosition
from tests.modstream.operations.trace.traces import trace, write_metrics


def test_impact_of_a_label_is_the_metric_before_and_after_it_and_its_contribution(story):
    joined = story.flight("mine", 0.8)
    loss = -math.log(0.8)
    write_metrics(story, joined, 0.5, window=3, offset=joined.offset)
    write_metrics(story, joined, (3 * 0.5 + loss) / 4, window=4)
    write_metrics(story, joined, 99.0, window=5, offset=joined.offset + 9)

    score, other = trace(story, "mine").feedback[0].scores
    (impact,) = score.impacts

    assert (impact.metric, impact.before, impact.labelled) == ("log_loss", 0.5, 104)
    assert impact.after == pytest.approx((1.5 + loss) / 4)
    assert impact.contribution == pytest.approx(impact.after - 0.5)
    assert (other.model, other.impacts) == ("frozen", ())


def test_first_label_of_a_version_has_no_value_before_it(story):
    joined = story.flight("mine", 0.8)
    write_metrics(story, joined, -math.log(0.8), window=1)

    (impact,) = trace(story, "mine").feedback[0].scores[0].impacts

    assert (impact.before, impact.contribution) == (None, None)


def test_label_of_another_task_has_no_loss(story):
    answer = story.answer(story.ask("mine"), "online")
    story.join("mine", answer, label="yes")

    assert trace(story, "mine").feedback[0].scores[0].losses == {}


def test_row_after_the_newest_version_is_pending(story):
    story.flight("early")
    story.publish(offsets={f"{story.topics.feedback}:{n}": 0 for n in (0, 1)})
    story.flight("mine")

    (learning,) = trace(story, "mine").feedback[0].learning

    assert (learning.outcome, learning.version) == ("pending", None)


def test_row_is_learned_by_the_version_whose_offsets_include_it(story):
    story.flight("mine")
    story.publish()
    story.flight("later")
    story.publish()

    assert trace(story, "mine").feedback[0].learning[0].version == 1
    assert trace(story, "later").feedback[0].learning[0].version == 2


def test_row_outside_the_offsets_of_all_versions_is_unknown(story):
    joined = story.flight("mine")
    story.publish(first_offsets={str(joined.topic_partition): joined.offset + 1})

    assert trace(story, "mine").feedback[0].learning[0].outcome == "unknown"


def test_quarantined_row_has_its_rule(story):
    joined = story.flight("mine")
    story.publish()
    source = SourcePosition(topic=joined.topic, partition=joined.partition, offset=joined.offset)
    row = Quarantined(id="mine", model="online", rule="not_finite", detail="x", source=source)
    story.write(story.topics.quarantine, "mine", row)

    (learning,) = trace(story, "mine").feedback[0].learning

    assert (learning.outcome, learning.detail) == ("quarantined", "not_finite: x")


def test_repeated_join_and_join_without_features_are_not_learned(story):
    first = story.flight("mine")
    story.repeat(first)
    late = story.answer(story.asked("mine"), "late")
    story.join("mine", late, features=None)
    story.publish()

    request_story = trace(story, "mine")

    assert [joined.learning[0].outcome for joined in request_story.feedback] == [
        "learned", "repeated", "no features",
    ]  # fmt: skip
