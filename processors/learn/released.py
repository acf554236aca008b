"""Whether feedback was released from quarantine, as its header says."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from modstream.broker.errors import RightMissing, TopicMissing
from modstream.broker.wire.records import Record
from modstream.broker.wire.sent_back import FindRecord, find_letter, is_row_of, letter_name

WasReleased = Callable[[Record], bool]
"""Returns whether a feedback record was released from quarantine."""


def never_released(_record: Record) -> bool:
    """Return false: without a quarantine, no feedback is proved to be released."""
    return False


@dataclass(slots=True)
class ReleaseProof:
    """Looks up the quarantined row that feedback names; feedback that names none costs nothing.

    Each quarantined row proves one record, of the newest `capacity` that were released. `find`
    searches the stream's quarantine, and finds nothing elsewhere.
    """

    find: FindRecord
    capacity: int = 100_000
    _released: OrderedDict[str, str] = field(default_factory=OrderedDict)

    def __call__(self, record: Record) -> bool:
        """Return whether the record is the first one with the bytes of the row that it names.

        Raises:
            BrokerError: the quarantine cannot be read now.
        """
        name = letter_name(record)
        if name is None:
            return False
        if name in self._released:
            return self._released[name] == record.position
        try:
            row = find_letter(record, self.find)
        except (RightMissing, TopicMissing) as error:
            # A writer of feedback must not end a learner.
            structlog.get_logger(__name__).error("quarantined row not read", reason=str(error))
            return False
        if row is None or not is_row_of(row, record):
            return False
        self._released[name] = record.position
        if len(self._released) > self.capacity:
            self._released.popitem(last=False)
        return True
