"""Whether a request was redriven from a dead letter, as its header says."""

from dataclasses import dataclass

import structlog

from modstream.broker.errors import RightMissing, TopicMissing
from modstream.broker.wire.records import Record
from modstream.broker.wire.sent_back import FindRecord, find_letter, is_letter_of
from modstream.processors.predict.deduplication import read_dedup_id


@dataclass(frozen=True, slots=True)
class RedriveProof:
    """Looks up the dead letter that a request names; it is called for repeated ids only.

    `find` searches the stream's topic of dead letters, and finds nothing elsewhere.
    """

    find: FindRecord

    def __call__(self, record: Record, request_id: str | None) -> bool:
        """Return whether the record is the request of the letter that it names.

        Raises:
            BrokerError: the topic cannot be read now.
        """
        try:
            letter = find_letter(record, self.find)
        except (RightMissing, TopicMissing) as error:
            # A client that writes the header must not end a worker.
            structlog.get_logger(__name__).error("dead letter not read", reason=str(error))
            return False
        return letter is not None and is_letter_of(letter, record, request_id, read_dedup_id)
