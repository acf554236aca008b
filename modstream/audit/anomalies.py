"""What an audit counts besides the tables: records that do not fit, and records that wait."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Waiting:
    """Records that wait behind a scope.

    `requests` are counted. `label_rows` are the rows, by their number in `StreamAudit.ids`, of
    labels and predictions that the joiner has not read, and `labels` counts the labels among them.
    """

    requests: int = 0
    labels: int = 0
    label_rows: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Anomalies:
    """Records that a correct stream does not contain.

    `id_mismatches` counts responses with another id than their request, `foreign_sources` responses
    to records of other topics, and `malformed` records that violate their contract, by topic.
    """

    id_mismatches: int = 0
    foreign_sources: int = 0
    malformed: Counter[str] = field(default_factory=Counter)
