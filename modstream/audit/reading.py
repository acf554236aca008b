"""Reading of a stream's topics for its audit."""

from modstream.audit.stream_audit import StreamAudit
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.topics import Topics
from modstream.models.evaluation.version_classes import FindCard, VersionClasses, no_card


def audited_topics(topics: Topics) -> tuple[str, ...]:
    """Return the topics that an audit reads, in the order in which a request passes them.

    Version markers are skipped, as they repeat information already in the predictions, and so are
    the features of the stream, which are made of the other topics: `modstream features verify`.
    """
    names = (spec.name for spec in topics.specs(partitions=1))
    skipped = {topics.version_markers, topics.features}
    return tuple(name for name in names if name not in skipped)


def audit_stream(
    connection: Connection,
    topics: Topics,
    route: tuple[str, ...],
    dedup_window: int = 0,
    find_card: FindCard = no_card,
) -> StreamAudit:
    """Read and add all committed records of a stream, from the beginning to the current end.

    `find_card` finds the cards of the versions that predicted, by whose classes they are scored.

    Raises:
        TopicMissing: a topic of the stream does not exist.
        BrokerError: reading failed.
    """
    audit = StreamAudit(topics, route, dedup_window, VersionClasses(find_card))
    for record in read_to_end(connection, audited_topics(topics)):
        audit.add(record)
    return audit
