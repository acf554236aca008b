"""The audit of a running stream, from its topics, over a time span."""

from collections.abc import Mapping
from typing import NamedTuple

from modstream.audit.reading import audited_topics
from modstream.audit.result import AuditResult, evaluate
from modstream.audit.scope import AuditScope
from modstream.audit.stream_audit import StreamAudit
from modstream.broker.client.admin import Admin
from modstream.broker.wire.records import OffsetRanges, TopicPartition
from modstream.broker.wire.topics import Topics
from modstream.models.evaluation.monitoring.model_monitoring import MonitoringSettings
from modstream.models.evaluation.version_classes import FindCard, VersionClasses, no_card
from modstream.operations.offset_ranges import ReadProgressCallback, find_ranges, read_ranges
from modstream.settings import Settings


class ReportSpan(NamedTuple):
    """Requests from `since` to before `until`, ms since the epoch; None is no bound."""

    since: int | None = None
    until: int | None = None


def report_stream(
    settings: Settings,
    span: ReportSpan,
    on_progress: ReadProgressCallback,
    find_card: FindCard = no_card,
    monitoring: MonitoringSettings | None = None,
) -> AuditResult:
    """Audit the requests of a time span, their responses and labels, and what was learned.

    The stream may run on. Requests that no worker has answered yet and labels that the joiner has
    not read are counted as waiting. `monitoring` says what is monitored of the models.

    Raises:
        TopicMissing: a topic of the stream does not exist.
        BrokerError: reading failed.
    """
    topics, window = settings.topics(), settings.dedup_window
    admin = Admin(settings.connection)
    scope = find_scope(admin, topics, span)
    ranges = _read_ranges(admin, topics, scope, span, window)
    audit = StreamAudit(topics, settings.models, window, VersionClasses(find_card), scope)
    for record in read_ranges(settings.connection, ranges, on_progress):
        audit.add(record)
    return evaluate(audit, monitoring)


def find_scope(admin: Admin, topics: Topics, span: ReportSpan) -> AuditScope:
    """Return what can be accounted for now, by the offsets that worker and joiner have committed.

    These are looked up before the ends of the topics: what a service writes is there before it
    commits what it has read.
    """
    answered = admin.committed_offsets(topics.group("worker"), [topics.requests])
    inputs = [topics.predictions, topics.labels]
    joined = admin.committed_offsets(topics.group("joiner"), inputs)
    ranges: dict[TopicPartition, tuple[int, int]] = {}
    for topic, done in ((topics.requests, answered), (topics.labels, joined)):
        ranges |= _bounded(_retained(admin, topic, span), done)
    ranges |= _retained(admin, topics.feedback, ReportSpan(span.since))
    return AuditScope(
        ranges, {one: at for one, at in joined.items() if one.topic == topics.predictions}
    )


def _retained(admin: Admin, topic: str, span: ReportSpan) -> OffsetRanges:
    """Return the offsets of a time span that a topic still has."""
    first = admin.first_offsets([topic])
    found = find_ranges(admin, [topic], span.since, span.until)
    return {one: (max(start, first[one]), end) for one, (start, end) in found.items()}


def _bounded(ranges: OffsetRanges, stops: Mapping[TopicPartition, int]) -> OffsetRanges:
    return {
        one: (start, max(start, min(end, stops.get(one, 0))))
        for one, (start, end) in ranges.items()
    }


def _read_ranges(
    admin: Admin, topics: Topics, scope: AuditScope, span: ReportSpan, dedup_window: int
) -> OffsetRanges:
    """Return the offsets to read: all topics from the start of the span to their ends.

    Events of models are read as a whole, for the chain of versions, and the requests before the
    span as far as they decide which of its requests repeat an id.
    """
    found = dict(find_ranges(admin, audited_topics(topics), span.since))
    found |= find_ranges(admin, [topics.model_events])
    found |= {one: offsets for one, offsets in scope.ranges.items() if one.topic == topics.feedback}
    for one, (start, end) in found.items():
        if one.topic == topics.requests:
            found[one] = (max(0, start - dedup_window), end)
    return found
