"""The scan: which columns and fields have texts that look like personal data."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from modstream.operations.privacy.patterns import Kind, find_personal, mask
from modstream.operations.privacy.texts import FieldText, texts_of_file

MAX_VALUES = 10_000
"""Different texts of a field that are counted."""
SUFFIXES = (".parquet", ".csv", ".json", ".jsonl", ".ndjson", ".txt", ".log", ".toml", ".html")
"""The files of a folder that are scanned."""


@dataclass(slots=True)
class ScannedField:
    """What was found in a field of a place: how often, how many different texts, one of them."""

    place: str
    column: str
    kind: Kind
    found: int = 0
    values: set[str] = field(default_factory=set)

    def facts(self) -> dict[str, str | int]:
        """Return what is printed; the example is masked."""
        return {
            "place": self.place,
            "field": self.column,
            "kind": self.kind,
            "found": self.found,
            "values": len(self.values),
            "example": mask(min(self.values)),
        }


def scan(place: str, texts: Iterable[FieldText]) -> list[ScannedField]:
    """Return the fields of a place that have texts which look like personal data."""
    found: dict[tuple[str, Kind], ScannedField] = {}
    for name, text in texts:
        for finding in find_personal(text):
            key = name, finding.kind
            if key not in found:
                found[key] = ScannedField(place, name, finding.kind)
            one = found[key]
            one.found += 1
            if len(one.values) < MAX_VALUES:
                one.values.add(finding.text)
    return sorted(found.values(), key=lambda one: (one.column, one.kind))


def scan_files(path: Path, limit: int | None) -> Iterator[ScannedField]:
    """Yield what is found in a file, or in the files below a folder.

    Raises:
        UnusableSource: a file cannot be read.
        LibraryMissing: there is a Parquet file, and pyarrow is not installed.
    """
    for file in files_of(path):
        yield from scan(str(file), texts_of_file(file, limit))


def files_of(path: Path) -> list[Path]:
    """Return a file itself, or the files below a folder that can be read as text, sorted."""
    if not path.is_dir():
        return [path]
    return sorted(one for one in path.rglob("*") if one.is_file() and one.suffix in SUFFIXES)
