"""The search for one person in topics, files and the prediction store."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.records import TopicPartition
from modstream.models.prediction_store.store import PredictionStore
from modstream.operations.privacy.scan import SUFFIXES
from modstream.operations.privacy.texts import (
    FieldText,
    rows_of_file,
    texts_of_record,
    texts_of_value,
)

MIN_VALUE = 4
"""The shortest text that is searched for within others; a shorter one is in too many."""
SERVER_FOLDERS = frozenset({"kafka", "redis"})
"""Folders below the home directory that servers own; their topics and hashes are searched."""


class Person(NamedTuple):
    """A person: the key of their requests, and texts about them that must be nowhere."""

    key: str
    values: tuple[str, ...] = ()

    def is_in(self, texts: Iterable[FieldText]) -> bool:
        """Return whether a text is the key, or has one of the values in it, in any case."""
        wanted = [value.casefold() for value in self.values]
        return any(
            text == self.key or any(value in text.casefold() for value in wanted)
            for _, text in texts
        )


@dataclass(slots=True)
class TopicMatches:
    """The records of a topic that have a person: how many, and the last one by partition."""

    topic: str
    found: int = 0
    last: dict[TopicPartition, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SearchedPlaces:
    """Where a person is searched for.

    `data_folder` is that of the catalogue of data sets, below the home directory or elsewhere.
    """

    connection: Connection
    topics: tuple[str, ...]
    home: Path
    data_folder: Path
    store: PredictionStore
    models: tuple[str, ...]

    def in_topics(self, person: Person) -> dict[str, TopicMatches]:
        """Return the matches in each topic; records of aborted transactions count, too.

        Raises:
            BrokerError: a topic cannot be read.
        """
        found = {topic: TopicMatches(topic) for topic in self.topics}
        for record in read_to_end(self.connection, self.topics, committed=False):
            if person.is_in(texts_of_record(record)):
                matches = found[record.topic]
                matches.found += 1
                matches.last[record.topic_partition] = record.offset
        return found

    def in_files(self, person: Person) -> dict[Path, int]:
        """Return the number of rows with the person in each file.

        Raises:
            UnusableSource: a file cannot be read.
            LibraryMissing: there is a Parquet file, and pyarrow is not installed.
        """
        return {
            path: sum(person.is_in(texts_of_value("", row)) for row in rows_of_file(path))
            for path in self.files()
        }

    def in_store(self, person: Person) -> list[str]:
        """Return the models that have a prediction of the person's key in the store.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        return [model for model in self.models if self.store.get(model, person.key) is not None]

    def files(self) -> Iterator[Path]:
        """Yield the files of the home directory and of the catalogue that are searched."""
        found = {
            path
            for root in (self.home, self.data_folder)
            for path in root.rglob("*")
            if path.suffix in SUFFIXES
            and SERVER_FOLDERS.isdisjoint(path.relative_to(root).parts)
            and path.is_file()
        }
        yield from sorted(found)
