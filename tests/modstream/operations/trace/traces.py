"""Traces of the requests of a stream that a test has written."""

from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import SourcePosition
from modstream.broker.wire.model_contracts import Metrics, ModelEvent, VersionMarker
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.operations.trace.collector import RecordCollector
from modstream.operations.trace.story import StoryContext, build_story

SHA = "a" * 64


def trace(story, name, **context):
    """Return the story of a request; only version markers are not read from the topics."""
    trail = RecordCollector(name, story.topics)
    for record in story.records:
        trail.add(record)
    events = [decode(ModelEvent, r.value) for r in story.broker.read(story.topics.model_events)]
    metrics = [decode(Metrics, r.value) for r in story.broker.read(story.topics.metrics)]
    facts = {"events": events, "metrics": metrics, "versions": VersionClasses(story.find_card)}
    return build_story(trail, StoryContext(**facts, **context))


def version_marker(record, version=1, ref="champion", model="online", back=0):
    source = SourcePosition(
        topic=record.topic, partition=record.partition, offset=record.offset - back
    )
    return VersionMarker(model=model, ref=ref, version=version, sha256=SHA, parent=7, source=source)


def write_metrics(story, joined, value, window, offset=None):
    """Write prequential metrics of `online` 1 that cover a feedback record, or all before it."""
    offsets = {str(joined.topic_partition): joined.offset + 1 if offset is None else offset}
    values = {"labelled": window + 100.0, "window": float(window), "log_loss": value}
    metrics = Metrics(kind="prequential", model="online", version=1, values=values, offsets=offsets)
    story.write(story.topics.metrics, "prequential", metrics)
