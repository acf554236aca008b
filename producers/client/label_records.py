"""The records of labels. A label has the key of its request, or the join would miss it."""

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Label
from modstream.broker.wire.records import Headers, ProducerRecord
from modstream.broker.wire.topics import Topics


def label_record(
    topics: Topics, label: Label, key: str | None = None, headers: Headers = ()
) -> ProducerRecord:
    """Return the record of a label; `key` is that of the request, by default the request's id."""
    return ProducerRecord(topics.labels, (key or label.id).encode(), encode(label), headers)
