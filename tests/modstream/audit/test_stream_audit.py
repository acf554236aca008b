"""The audit of a whole stream."""

import pytest

from modstream.audit.result import evaluate
from modstream.audit.stream_audit import StreamAudit


@pytest.mark.slow
def test_stream_without_faults_is_sound(season):
    assert season.is_sound
    assert season.faults == {}
    assert [model.predictions for model in season.delivery.models] == [4000, 4000, 0]
    assert season.labels.joined == 4000
    assert season.learning[0].rows_learned == 4000


def test_empty_stream_is_sound(story):
    result = story.audit_result()

    assert result.is_sound
    assert result.delivery.requests == 0
    assert result.performance.throughput.mean == 0


def test_order_of_topics_does_not_matter(story):
    story.season(60, days=3, swaps=3)
    audit = StreamAudit(story.topics, story.route)

    for record in sorted(story.records, key=lambda record: record.topic, reverse=True):
        audit.add(record)

    assert evaluate(audit).delivery == story.audit_result().delivery
    assert evaluate(audit).labels == story.audit_result().labels


def test_record_that_violates_its_contract_is_a_fault(story):
    story.write(story.topics.unjoined, "odd", b"{}")

    assert story.audit_result().faults == {"malformed records in flights.unjoined": 1}
