"""Counts of the labels of a running stream by their outcome, in bounded memory."""

from collections import OrderedDict

from modstream.audit.lenient_messages import LenientFeedback
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Unjoined, UnjoinedReason
from modstream.broker.wire.identifiers import row_key
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header

MAX_ROWS = 200_000
"""Number of joined rows that are remembered, so that each is counted once."""


class LabelCounts:
    """Counts labels, joined rows, labels that were not joined, and predictions without a label.

    A row can have several feedback records: one for each model that predicts after its label has
    arrived, those that a joiner writes again after a crash, corrections, and rows released from
    quarantine. It is counted once.
    """

    def __init__(self, max_rows: int = MAX_ROWS) -> None:
        self.labels = 0
        self.joined = 0
        self.unjoined = 0
        self.missing = 0
        self._max_rows = max_rows
        self._joined_rows: OrderedDict[int, None] = OrderedDict()

    def add_label(self, record: Record) -> None:
        """Count a label, but not its copy in another partition."""
        self.labels += record.header(Header.FORWARDED_FROM) is None

    def add_feedback(self, record: Record, joined: LenientFeedback) -> bool:
        """Count a row when it is joined first.

        Returns:
            Whether the record joins predictions: it is no correction and no released row.
        """
        if joined.revises is not None or record.header(Header.REDRIVE_OF) is not None:
            return False
        row = hash(row_key(joined.id, joined.row))
        if row not in self._joined_rows:
            self.joined += 1
            self._joined_rows[row] = None
            if len(self._joined_rows) > self._max_rows:
                self._joined_rows.popitem(last=False)
        return True

    def add_unjoined(self, record: Record) -> None:
        """Count a label that was not joined, or a prediction whose label has not arrived in time.

        Raises:
            DecodeError: the record violates its contract.
        """
        if decode(Unjoined, record.value).reason is UnjoinedReason.MISSING:
            self.missing += 1
        else:
            self.unjoined += 1
