"""Redrive: dead letters and quarantined rows, each sent back once to the topic it came from."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import Reader, read_offset_ranges, read_to_end
from modstream.broker.errors import TransactionAborted
from modstream.broker.wire.batches import split_batches
from modstream.broker.wire.dead_letters import build_redriven_request
from modstream.broker.wire.originals import Original
from modstream.broker.wire.quarantine import build_released_feedback
from modstream.broker.wire.record_size import fits, record_size
from modstream.broker.wire.records import Headers, Offsets, ProducerRecord, Record
from modstream.broker.wire.sent_back import letter_digest, letter_name, row_digest, value_digest
from modstream.broker.wire.topics import Topics
from modstream.processors.redrive.release import read_quarantined_row
from modstream.processors.redrive.selection import (
    MAX_ATTEMPTS,
    DeadLetter,
    LetterClassifier,
    LetterFilter,
    LetterState,
    oldest_by_topic,
    read_dead_letter,
)

MAX_PUBLISH_ATTEMPTS = 5
"""How often one transaction is attempted before the redrive fails."""
PROGRESS_INTERVAL = 1000
"""Records between two reports of progress."""

RedriveProgressCallback = Callable[[str, int], None]
"""Receives the current activity and the number of records it has handled."""


class AtomicPublisher(Protocol):
    """Publishes records in one transaction."""

    def publish(self, records: Iterable[ProducerRecord]) -> None:
        """Publish all or none; see modstream.broker.client.transactional_publisher."""


@dataclass(frozen=True, slots=True)
class LetterKind:
    """A kind of letters: where they are stored, how they are read, and where they go back to.

    A letter is sent back to a topic in `destinations` only: the topic named in a letter's headers
    is not trusted.
    """

    topic: str
    destinations: tuple[str, ...]
    read: Callable[[Record], DeadLetter]
    build_original: Callable[[Record, Record | None], ProducerRecord]
    """Returns the record to send of a letter, and of its original if the letter was cut."""
    digest: Callable[[Record], str]
    """Returns the SHA-256 of the value of the record to send: any client can name any letter."""


def dead_letters(topics: Topics) -> LetterKind:
    """Return the kind of a stream's dead letters, which go back to its requests."""
    return LetterKind(
        topics.dlq, (topics.requests,), read_dead_letter, build_redriven_request, letter_digest
    )


def quarantined_rows(topics: Topics) -> LetterKind:
    """Return the kind of a stream's quarantined rows, which go back to its feedback."""
    destinations = (topics.feedback,)
    return LetterKind(
        topics.quarantine, destinations, read_quarantined_row, build_released_feedback, row_digest
    )


class LetterScan(NamedTuple):
    """All letters of one kind in a stream, and a classifier for their state."""

    all: list[DeadLetter]
    classifier: LetterClassifier

    def matching(self, selection: LetterFilter) -> list[DeadLetter]:
        """Return the selected letters."""
        return [letter for letter in self.all if selection.matches(letter)]

    def count_states(self, selection: LetterFilter) -> dict[str, int]:
        """Return the number of selected letters by state."""
        counts = Counter(self.classifier.classify(letter) for letter in self.matching(selection))
        return {state.value: counts[state] for state in LetterState}

    def refused(self, selection: LetterFilter) -> list[str]:
        """Return the reasons of the selected letters that cannot be sent back."""
        reasons = map(self.classifier.explain_unsendable, self.matching(selection))
        return [reason for reason in reasons if reason is not None]


class RedriveResult(NamedTuple):
    """The number of letters sent back, and the number of selected letters by previous state.

    `refused` says of each selected letter that cannot be sent back why.
    """

    sent: int
    states_before: dict[str, int]
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Redrive:
    """Sends one stream's letters of one kind back.

    The order of a redrive:
      1. open the publisher, which fences every other redrive of this stream
      2. wait until all transactions on the destination topics are committed or aborted
      3. read the letters, and find the ones that were redriven before
      4. publish the originals of the letters that are due, in transactions
    A redrive that was killed at any point can be run again. No letter is sent twice as long as
    its destination topic retains the record that was sent for it.
    """

    connection: Connection
    kind: LetterKind
    on_progress: RedriveProgressCallback = lambda _activity, _count: None
    max_records: int = 500
    """Maximum number of records in one transaction."""
    headers: Headers = ()
    """Further headers of each record that is sent."""

    def scan(self, max_attempts: int = MAX_ATTEMPTS) -> LetterScan:
        """Read all letters, and find the ones that were redriven before."""
        letters: list[DeadLetter] = []
        digests: dict[str, str] = {}
        for record in self._count("reading letters", self._read_letters()):
            letters.append(self.kind.read(record))
            digests[record.position] = self.kind.digest(record)
        destinations = self.kind.destinations
        starts = {
            topic: time for topic, time in oldest_by_topic(letters).items() if topic in destinations
        }
        resent = self._count("looking for redriven records", self._read_since(starts))
        redriven = {
            name
            for record in resent
            if (name := letter_name(record)) is not None
            and digests.get(name) == value_digest(record.value)
        }
        retained: Offsets = {}
        if any(letter.original for letter in letters):
            retained = Admin(self.connection).first_offsets(destinations)
        classifier = LetterClassifier(destinations, redriven, max_attempts, retained)
        return LetterScan(letters, classifier)

    def run(self, selection: LetterFilter, publisher: AtomicPublisher) -> RedriveResult:
        """Send back every selected letter that is due.

        Raises:
            TransactionAborted: a batch could not be published after several attempts.
            ProducerLost: another redrive has taken over, or an outcome is unknown; run it again.
            TransactionOpen: another producer's transaction stays open on a destination topic.
        """
        Admin(self.connection).wait_for_transactions(self.kind.destinations)  # Step 2.
        letters = self.scan(selection.max_attempts)  # Step 3.
        due = {
            letter.position
            for letter in letters.matching(selection)
            if letters.classifier.classify(letter) is LetterState.DUE
        }
        sent = 0
        refused = letters.refused(selection)
        records = (record for record in self._read_letters() if record.position in due)
        for batch in split_batches(self._build_originals(records, refused), self.max_records):
            publish_with_retries(publisher, batch)  # Step 4.
            sent += len(batch)
            self.on_progress("sending", sent)
        return RedriveResult(sent, letters.count_states(selection), tuple(refused))

    def records(self, selection: LetterFilter) -> Iterator[Record]:
        """Yield the records of the selected letters."""
        return (
            record for record in self._read_letters() if selection.matches(self.kind.read(record))
        )

    def _build_originals(
        self, letters: Iterable[Record], refused: list[str]
    ) -> Iterator[ProducerRecord]:
        """Yield the records to send; the reasons of letters that cannot be sent go to `refused`."""
        for letter in letters:
            place, original = self.kind.read(letter).original, None
            if place is not None and (original := self._read_original(place)) is None:
                refused.append(f"{letter.position}: the original at {place} cannot be read")
                continue
            built = self.kind.build_original(letter, original)
            built = built._replace(headers=(*built.headers, *self.headers))
            if fits(built):
                yield built
            else:
                size = record_size(built)
                refused.append(f"{letter.position}: {size:,} bytes are more than a topic takes")

    def _read_original(self, place: Original) -> Record | None:
        """Return the original of a cut letter; None if it is not there any more."""
        ranges = {place.partition: (place.offset, place.offset + 1)}
        found = read_offset_ranges(self.connection, place.partition.topic, ranges)
        return next((record for record in found if place.matches(record)), None)

    def _read_letters(self) -> Iterator[Record]:
        return read_to_end(self.connection, [self.kind.topic])

    def _read_since(self, starts: dict[str, int]) -> Iterator[Record]:
        """Yield all records of some topics, each from a time (ms since the epoch)."""
        admin = Admin(self.connection)
        for topic, time in starts.items():
            with Reader(self.connection, [topic], admin.offsets_since([topic], time)) as reader:
                while not reader.at_end():
                    yield from reader.poll(timeout=0.2)

    def _count(self, activity: str, records: Iterable[Record]) -> Iterator[Record]:
        for count, record in enumerate(records, start=1):
            if count % PROGRESS_INTERVAL == 0:
                self.on_progress(activity, count)
            yield record


def publish_with_retries(publisher: AtomicPublisher, records: list[ProducerRecord]) -> None:
    """Publish in one transaction, and retry a limited number of times if it is aborted.

    Raises:
        TransactionAborted: every attempt was aborted.
    """
    for attempt in range(1, MAX_PUBLISH_ATTEMPTS + 1):
        try:
            publisher.publish(records)
            return
        except TransactionAborted:
            if attempt == MAX_PUBLISH_ATTEMPTS:
                raise
