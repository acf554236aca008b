"""The journal of experiments: one line of JSON each, only ever appended."""

import fcntl
import os
from pathlib import Path

from pydantic import ValidationError

from modstream.errors import HomeUnusable, UnknownName
from modstream.experiments.experiment import Experiment

FOLDER, FILE = "experiments", "experiments.jsonl"
REMEDY = "`modstream experiments list` lists them"
MIN_PREFIX = 4
"""Smallest number of characters of an id by which an experiment is found."""


class Journal:
    """The experiments of a home directory, oldest first."""

    def __init__(self, home: Path) -> None:
        self.path = home / FOLDER / FILE

    def append(self, experiment: Experiment) -> None:
        """Add an experiment; it is on the disk when this returns.

        Raises:
            HomeUnusable: the journal cannot be written.
        """
        line = experiment.model_dump_json().encode() + b"\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            descriptor = os.open(self.path, flags, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                size = os.fstat(descriptor).st_size
                if size and os.pread(descriptor, 1, size - 1) != b"\n":
                    # A process was killed while it wrote: its line is lost, this one is not.
                    line = b"\n" + line
                os.write(descriptor, line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise HomeUnusable(self.path.parent, error.strerror or str(error)) from None

    def read(self) -> list[Experiment]:
        """Return all experiments; a line that is none is left out.

        Raises:
            HomeUnusable: the journal cannot be read.
        """
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise HomeUnusable(self.path.parent, error.strerror or str(error)) from None
        found = map(parse_line, lines)
        return [one for one in found if one is not None]

    def find(self, name: str) -> Experiment:
        """Return the experiment with an id, or the only one whose id begins so.

        Raises:
            UnknownName: there is none, or more than one.
            HomeUnusable: the journal cannot be read.
        """
        known = self.read()
        found = [one for one in known if one.id == name]
        if not found and len(name) >= MIN_PREFIX:
            found = [one for one in known if one.id.startswith(name)]
        if len(found) != 1:
            raise UnknownName("experiment", name, [one.id for one in known], REMEDY)
        return found[0]

    def get(self, experiment_id: str) -> Experiment | None:
        """Return the experiment with an id, or None if there is none."""
        return next((one for one in self.read() if one.id == experiment_id), None)

    def test_openings(self, sha256: str) -> int:
        """Return how many experiments were tested on the rows with a hash."""
        return sum(one.state != "failed" and one.data.test_sha256 == sha256 for one in self.read())


def parse_line(line: bytes) -> Experiment | None:
    """Return the experiment of a line of the journal; None if it is none."""
    try:
        return Experiment.model_validate_json(line)
    except ValidationError:
        return None
