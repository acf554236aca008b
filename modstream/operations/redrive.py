"""Dead letters and quarantined rows, read and sent back to where they came from: once each."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import Reader, read_to_end
from modstream.broker.errors import TransactionAborted
from modstream.broker.wire.dead_letters import redriven
from modstream.broker.wire.quarantine import released
from modstream.broker.wire.records import Outgoing, Record
from modstream.broker.wire.topics import Header, Topics
from modstream.processors.redrive.release import row_of
from modstream.processors.redrive.selection import (
    MOST_ATTEMPTS,
    Choice,
    Letter,
    Sorter,
    State,
    letter_of,
    oldest,
)

MOST_BYTES = 32 * 1024 * 1024
"""Of one transaction, which must end within 15 s; the letter that reaches it is its last."""
ATTEMPTS = 5
"""How often one transaction may be aborted before the redrive gives up."""

Notice = Callable[[str, int], None]
"""Told what is being done and how many records it has come to."""


class Publish(Protocol):
    """Publishes a set of records in one transaction."""

    def publish(self, records: Iterable[Outgoing]) -> None:
        """Publish all or nothing; see modstream.broker.client.transactional_publisher."""


class Letters(NamedTuple):
    """All letters of a stream, and what tells their state."""

    all: list[Letter]
    sorter: Sorter

    def chosen(self, choice: Choice) -> list[Letter]:
        """The letters that are meant."""
        return [letter for letter in self.all if choice.means(letter)]

    def states(self, choice: Choice) -> dict[str, int]:
        """How many of the letters that are meant are in which state."""
        counts = Counter(self.sorter.state(letter) for letter in self.chosen(choice))
        return {state.value: counts[state] for state in State}


class Outcome(NamedTuple):
    """How many letters were sent back, and in which states the chosen ones were found before."""

    sent: int
    found: dict[str, int]


@dataclass(frozen=True, slots=True)
class Redrive:
    """One stream's dead letters and their way back.

    The order of a redrive:
      1. fence whoever redrives this stream: `publisher` is opened before anything is read
      2. wait until all that lies in the topics they may go to is committed or aborted
      3. read the letters, and which of them were redriven already
      4. publish the requests of those that are due, in transactions
    So a redrive that was killed at any point can be run again, and no letter is sent twice, as
    long as its topic keeps the request that was made of it.
    """

    connection: Connection
    topics: Topics
    notice: Notice = lambda _doing, _count: None
    most_records: int = 500
    """Of one transaction."""

    @property
    def homes(self) -> tuple[str, ...]:
        """The topics that letters may go back to: a letter's word alone opens no other."""
        return (self.topics.requests,)

    @property
    def letters(self) -> str:
        """The topic that the letters lie in."""
        return self.topics.dlq

    def read(self, record: Record) -> Letter:
        """What a letter says of itself."""
        return letter_of(record)

    def returned(self, record: Record) -> Outgoing:
        """What a letter was made of, bound for its topic once more."""
        return redriven(record)

    def look(self, most_attempts: int = MOST_ATTEMPTS) -> Letters:
        """Read all letters, and find which of them were redriven already."""
        letters = [
            self.read(record) for record in self._counted("reading letters", self._letters())
        ]
        starts = {topic: time for topic, time in oldest(letters).items() if topic in self.homes}
        found = self._counted("looking for redriven requests", self._requests(starts))
        sent = {
            place.decode(errors="replace")
            for record in found
            if (place := record.header(Header.REDRIVE_OF)) is not None
        }
        return Letters(letters, Sorter(self.homes, sent, most_attempts))

    def run(self, choice: Choice, publisher: Publish) -> Outcome:
        """Send every chosen letter that is due back.

        Raises:
            TransactionAborted: one set of requests could not be published, several times.
            ProducerLost: another redrive has taken over, or an outcome is unknown; run it again.
            Undecided: a transaction of somebody stays open on a topic of the stream.
        """
        Admin(self.connection).await_decided(self.homes)  # Step 2.
        letters = self.look(choice.most_attempts)  # Step 3.
        due = {
            letter.place
            for letter in letters.chosen(choice)
            if letters.sorter.state(letter) is State.DUE
        }
        sent = 0
        returning = (record for record in self._letters() if record.place in due)
        for batch in batches(returning, self.most_records):
            publish(publisher, [self.returned(record) for record in batch])  # Step 4.
            sent += len(batch)
            self.notice("sending", sent)
        return Outcome(sent, letters.states(choice))

    def records(self, choice: Choice) -> Iterator[Record]:
        """The records of the letters that are meant."""
        return (record for record in self._letters() if choice.means(self.read(record)))

    def _letters(self) -> Iterator[Record]:
        return read_to_end(self.connection, [self.letters])

    def _requests(self, starts: dict[str, int]) -> Iterator[Record]:
        """All records of some topics from a time (ms) on."""
        admin = Admin(self.connection)
        for topic, time in starts.items():
            with Reader(self.connection, [topic], admin.since([topic], time)) as reader:
                while not reader.at_end():
                    yield from reader.poll(timeout=0.2)

    def _counted(self, doing: str, records: Iterable[Record]) -> Iterator[Record]:
        for count, record in enumerate(records, start=1):
            if count % 1000 == 0:
                self.notice(doing, count)
            yield record


class Quarantine(Redrive):
    """One stream's quarantined rows and their way back, which is that of dead letters."""

    @property
    def homes(self) -> tuple[str, ...]:
        """Rows go back to be learned."""
        return (self.topics.feedback,)

    @property
    def letters(self) -> str:
        """The topic that the rows lie in."""
        return self.topics.quarantine

    def read(self, record: Record) -> Letter:
        """What a row's refusal says; its rule is the cause."""
        return row_of(record)

    def returned(self, record: Record) -> Outgoing:
        """The feedback that was refused, bound for its topic once more."""
        return released(record)


def batches(records: Iterable[Record], most: int) -> Iterator[list[Record]]:
    """Records in sets of at most `most` that fit a transaction, in their order."""
    batch, size = [], 0
    for record in records:
        batch.append(record)
        size += len(record.value or b"")
        if len(batch) == most or size >= MOST_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def publish(publisher: Publish, records: list[Outgoing]) -> None:
    """Publish in one transaction; again if it was aborted, but not for ever."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            publisher.publish(records)
            return
        except TransactionAborted:
            if attempt == ATTEMPTS:
                raise
