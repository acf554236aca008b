"""Erasure of one person, and the proof: a search of all places before and afterwards.

What is erased, in this order:
  1. the rows of the exported inference log; the log remembers the key as a digest, so that a later
     export leaves its records out
  2. the batch views that have the person: they are computed anew
  3. the predictions in the store
  4. the key of the person: nobody can tell any more whose pseudonyms theirs are, nor read what is
     sealed, in any copy
  5. topics, if it is asked for: a record cannot be removed alone, so each partition loses its
     records up to the last one that has the person
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from modstream.broker.client.admin import Admin
from modstream.broker.client.truncation import truncate
from modstream.broker.errors import BrokerError
from modstream.broker.wire.records import TopicPartition
from modstream.broker.wire.sealed import Seal
from modstream.operations.batch_views.build import build_view
from modstream.operations.batch_views.view_file import read_view, view_path
from modstream.operations.inference_log.erasures import erase as erase_rows
from modstream.operations.inference_log.log_folder import LogFolder
from modstream.operations.privacy.byte_search import count_in_bytes
from modstream.operations.privacy.person_keys import PersonKeys
from modstream.operations.privacy.search import Person, SearchedPlaces, TopicMatches

STORE, PERSON_KEY = "prediction store", "key of pseudonyms"
SEALED = "sealed values that can be read"
ALIASED = "under a pseudonym: no longer linked to the person, and sealed values cannot be read"
SERVER_FILE = "its server removes what it does not need any more at a time of its own"
TO_TRUNCATE = "--truncate removes them, with all older records of their partitions"
COMPACTED = "compacted: left until their key has no entry, and Kafka has cleaned the topic"
BY_HAND = "rewrite it without these rows, or delete it"


class ErasedPlace(NamedTuple):
    """A place that had the person: how many records or rows before and afterwards, and why."""

    place: str
    before: int
    after: int
    note: str


class Matches(NamedTuple):
    """Where a person is: in topics, in files with the number of rows, in the store by model."""

    topics: Mapping[str, TopicMatches]
    files: Mapping[Path, int]
    models: tuple[str, ...]
    in_bytes: Mapping[Path, int]

    @classmethod
    def of(cls, places: SearchedPlaces, person: Person, *, with_bytes: bool = False) -> "Matches":
        """Search all places, and the bytes of all files of the home directory if asked to."""
        models = tuple(places.in_store(person))
        in_bytes = count_in_bytes(places.home, person.values) if with_bytes else {}
        return cls(places.in_topics(person), places.in_files(person), models, in_bytes)

    def counts(self) -> dict[str, int]:
        """Return the number of records or rows by place, also where it is 0."""
        return {
            **{topic: found.found + found.aliased for topic, found in self.topics.items()},
            **{str(path): rows for path, rows in self.files.items()},
            STORE: len(self.models),
            **{f"bytes of {path}": count for path, count in self.in_bytes.items()},
        }


@dataclass(frozen=True, slots=True)
class Erasure:
    """One person's erasure from the places of a stream.

    `services` are the consumer groups that a topic must have been read by before it is truncated,
    and `truncatable` the topics that can be; others are compacted.
    """

    places: SearchedPlaces
    log: LogFolder
    views: Path
    services: tuple[str, ...]
    truncatable: frozenset[str]
    keys: PersonKeys

    def run(
        self, person: Person, now_ms: int, *, truncates: bool, with_bytes: bool = False
    ) -> list[ErasedPlace]:
        """Erase, search again, and return all places that had the person.

        Raises:
            LogFolderUnusable: the exported log cannot be written.
            ViewUnusable: a view cannot be computed anew.
            StoreUnavailable: the store does not answer.
            BrokerError: a topic cannot be read.
            UnusableSource: a file cannot be read.
        """
        secrets = self.keys.find([person.key])
        before = Matches.of(self.places, person, with_bytes=with_bytes)
        counts = before.counts() | {SEALED: self.places.count_sealed(map(Seal, secrets.values()))}
        notes = self._erase_files(person, before, now_ms)
        for model in before.models:
            for key in person.keys:
                self.places.store.erase(model, key)
        for topic, matches in before.topics.items():
            if matches.found:
                notes[topic] = self._truncate(matches) if truncates else TO_TRUNCATE
            elif matches.aliased:
                notes[topic] = ALIASED
        counts[PERSON_KEY] = int(self.keys.destroy(person.key))
        named = person._replace(alias=None)
        after = Matches.of(self.places, named, with_bytes=with_bytes).counts()
        left = self.keys.find(person.keys)
        after[PERSON_KEY] = len(left)
        after[SEALED] = self.places.count_sealed(map(Seal, left.values()))
        notes |= {place: SERVER_FILE for place in after if place.startswith("bytes of ")}
        return [
            ErasedPlace(place, counts.get(place, 0), after.get(place, 0), notes.get(place, ""))
            for place in {**counts, **after}
            if counts.get(place) or after.get(place)
        ]

    def _erase_files(self, person: Person, before: Matches, now_ms: int) -> dict[str, str]:
        """Erase the rows of the log and of the views; return what is to be said of other files."""
        if self.log.path.exists():
            erase_rows(self.log, {"key": list(person.keys)}, now_ms)
        notes = {}
        for path, rows in before.files.items():
            if not rows or path.is_relative_to(self.log.path):
                continue
            is_view = path == view_path(self.views, path.stem)
            notes[str(path)] = self._renew(path) if is_view else BY_HAND
        return notes

    def _renew(self, path: Path) -> str:
        """Compute a view anew; return what was done."""
        if not self.log.data_files():
            path.unlink()
            return "removed, as the log has no rows any more"
        definition = read_view(self.views, path.stem).head.definition
        build_view(self.log, path.stem, definition, self.views)
        return "computed anew"

    def _truncate(self, matches: TopicMatches) -> str:
        """Delete the records of a topic up to the last match; return what was done."""
        if matches.topic not in self.truncatable:
            return COMPACTED
        ends = {one: offset + 1 for one, offset in matches.last.items()}
        admin = Admin(self.places.connection)
        behind = self._behind(admin, matches.topic, ends)
        if behind:
            return f"{behind} has not read them yet: run the command again"
        first = admin.first_offsets([matches.topic])
        try:
            truncate(self.places.connection, ends)
        except BrokerError as error:
            return f"not truncated: {error}"
        others = sum(end - first.get(one, 0) for one, end in ends.items()) - matches.found
        return f"truncated: {others:,} older records, of others, were deleted with them"

    def _behind(self, admin: Admin, topic: str, ends: Mapping[TopicPartition, int]) -> str:
        """Return a group that has not read a topic up to some offsets; empty if all have."""
        for group in self.services:
            committed = admin.committed_offsets(group, [topic])
            if any(0 <= committed.get(one, -1) < end for one, end in ends.items()):
                return group
        return ""
