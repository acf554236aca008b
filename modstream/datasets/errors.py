"""Errors of data sets.

DatasetError
├── CatalogueUnusable        files of the catalogue cannot be read or written
├── DataLibraryMissing       a library of the extra `data` is not installed
├── DatasetChanged           a file of a data set is not the one that was written
├── DatasetSealed            a test set is sealed, and was not opened with a reason
├── ExpectationsInvalid      the expectations of a data set cannot be used
├── NotEnoughSpace           the disk has too little space for a data set
├── NotSplittable            a data set cannot be split as it was asked for
├── SourceUnusable           a source cannot be ingested, or changed meanwhile
├── StepsInvalid             the definition of wrangling steps has faults
└── WrangleFailed            a wrangling step fails on rows of a data set
"""

from collections.abc import Sequence
from pathlib import Path

from modstream.errors import StackError


class DatasetError(StackError):
    """The root of the errors of data sets."""


class CatalogueUnusable(DatasetError):
    """A file or a folder of the catalogue cannot be read or written."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"the catalogue cannot use {path}: {reason}")
        self.path, self.reason = path, reason


class DataLibraryMissing(DatasetError):
    """A library of the extra `data`, or of another one, is not installed."""

    def __init__(self, library: str, extra: str = "data") -> None:
        super().__init__(f"{library} is not installed: pip install 'modstream[{extra}]'")
        self.library = library


class DatasetChanged(DatasetError):
    """A file of a version has another SHA-256 than the catalogue has recorded."""

    def __init__(self, dataset: str, file: Path, reason: str) -> None:
        super().__init__(
            f"{dataset} cannot be trusted: {file} {reason} since it was written;"
            " restore the file, or make the data set again"
        )
        self.dataset, self.file = dataset, file


class DatasetSealed(DatasetError):
    """A test set is sealed: it is opened only with a reason, which is recorded."""

    def __init__(self, dataset: str) -> None:
        super().__init__(
            f"{dataset} is a sealed test set: a model is judged on it once, at the end;"
            f" `modstream data open {dataset} --reason ...` opens it and records who, when and why"
        )
        self.dataset = dataset


class ExpectationsInvalid(DatasetError):
    """The expectations of a data set cannot be read, or name what does not exist."""

    def __init__(self, source: object, reason: str) -> None:
        super().__init__(f"the expectations of {source} cannot be used: {reason}")
        self.reason = reason


class NotEnoughSpace(DatasetError):
    """The disk has too little space for a data set; sizes are in bytes."""

    def __init__(self, folder: Path, needed: int, free: int) -> None:
        super().__init__(
            f"{folder} has {free / 1e6:,.0f} MB free, and the data set may need"
            f" {needed / 1e6:,.0f} MB: free some space, or set MODSTREAM_DATA_DIR to another disk"
        )
        self.folder, self.needed, self.free = folder, needed, free


class NotSplittable(DatasetError):
    """A data set cannot be split as it was asked for."""

    def __init__(self, dataset: str, reason: str) -> None:
        super().__init__(f"{dataset} cannot be split: {reason}")
        self.dataset, self.reason = dataset, reason


class SourceUnusable(DatasetError):
    """A source cannot be ingested; `source` has no password."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source} cannot be ingested: {reason}")
        self.source, self.reason = source, reason


class StepsInvalid(DatasetError):
    """The definition of wrangling steps has faults; each problem has a line."""

    def __init__(self, source: object, problems: Sequence[str]) -> None:
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))
        self.problems = tuple(problems)


class WrangleFailed(DatasetError):
    """A step has no result for some rows of a data set; `row` is the first, from 0."""

    def __init__(self, step: str, rows: int, row: int, reason: str) -> None:
        super().__init__(
            f"step {step} has no result for {rows:,} rows, first for row {row:,}: {reason};"
            ' change the step, or let the values be missing with on_error = "missing"'
        )
        self.step, self.rows, self.row = step, rows, row
