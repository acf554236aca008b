"""The search for one person in topics, files and the prediction store."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import read_to_end
from modstream.broker.errors import SealBroken
from modstream.broker.wire.records import Record, TopicPartition
from modstream.broker.wire.sealed import PREFIX_BYTES, Seal, is_sealed
from modstream.models.prediction_store.store import PredictionStore
from modstream.operations.privacy.scan import SUFFIXES
from modstream.operations.privacy.texts import (
    FieldText,
    rows_of_file,
    texts_of_record,
    texts_of_value,
)

T = TypeVar("T")

MIN_VALUE = 4
"""The shortest text that is searched for within others; a shorter one is in too many."""
SERVER_FOLDERS = frozenset({"kafka", "redis"})
"""Folders below the home directory that servers own; their topics and hashes are searched."""


class Person(NamedTuple):
    """A person: the key of their requests, and texts about them that must be nowhere.

    `alias` is the pseudonym that sealed requests have as their key, as long as it is known.
    """

    key: str
    values: tuple[str, ...] = ()
    alias: str | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that records of the person have."""
        return (self.key,) if self.alias is None else (self.key, self.alias)

    def is_in(self, texts: Iterable[FieldText]) -> bool:
        """Return whether a text is a key, or has one of the values in it, in any case."""
        wanted, keys = [value.casefold() for value in self.values], self.keys
        return any(
            text in keys or any(value in text.casefold() for value in wanted) for _, text in texts
        )


@dataclass(slots=True)
class TopicMatches:
    """The records of a topic that have a person: how many, and the last one by partition.

    `aliased` are those that have nothing but the pseudonym; they are not among the last ones.
    """

    topic: str
    found: int = 0
    aliased: int = 0
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
        named = person._replace(alias=None)
        for record in read_to_end(self.connection, self.topics, committed=False):
            texts = list(texts_of_record(record))
            matches = found[record.topic]
            if named.is_in(texts):
                matches.found += 1
                matches.last[record.topic_partition] = record.offset
            elif person.alias is not None and person.is_in(texts):
                matches.aliased += 1
        return found

    def count_sealed(self, seals: Iterable[Seal]) -> int:
        """Return the number of sealed values in the topics that one of some seals opens.

        Raises:
            BrokerError: a topic cannot be read.
        """
        own = tuple(seals)
        records = read_to_end(self.connection, self.topics, committed=False) if own else ()
        return sum(count_openable(record, own) for record in records)

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
        return [
            model
            for model in self.models
            if any(self.store.get(model, key) is not None for key in person.keys)
        ]

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


def count_openable(record: Record, seals: tuple[Seal, ...]) -> int:
    """Return the number of sealed values in a record that one of some seals opens."""
    value = record.value or b""
    if PREFIX_BYTES not in value:
        return 0
    if value.startswith(PREFIX_BYTES):
        return int(any(opens(seal.open_record, value) for seal in seals))
    sealed = [(name, text) for name, text in texts_of_record(record) if is_sealed(text)]
    return sum(
        any(opens(partial(seal.open_field, _feature(name)), text) for seal in seals)
        for name, text in sealed
    )


def opens(open_one: Callable[[T], object], sealed: T) -> bool:
    """Return whether a function opens something sealed."""
    try:
        open_one(sealed)
    except SealBroken:
        return False
    return True


def _feature(path: str) -> str:
    """Return the feature at the path of a field."""
    return path.rpartition("features.")[2]
