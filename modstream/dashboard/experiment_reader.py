"""The experiments of a home directory, of whose journal only what is new is read."""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from modstream.errors import HomeUnusable
from modstream.experiments.experiment import Experiment
from modstream.experiments.journal import Journal, parse_line

MAX_KEPT = 500
"""Number of experiments that are kept, the newest ones."""
MAX_TRIALS = 30
"""Number of trials of an experiment that are kept, the best ones; each needs about 1 KB."""


class ExperimentReader:
    """Follows the journal of experiments; safe for several threads."""

    def __init__(self, home: Path) -> None:
        self._path = Journal(home).path
        self._lock = Lock()
        self._known: deque[Experiment] = deque(maxlen=MAX_KEPT)
        self._file, self._offset = 0, 0

    def mark(self) -> tuple[int, int]:
        """Return what changes with the journal: its file and size; zeros if there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return 0, 0
        return found.st_ino, found.st_size

    def read(self) -> Sequence[Experiment]:
        """Return the experiments, the newest first.

        Raises:
            HomeUnusable: the journal cannot be read.
        """
        with self._lock:
            try:
                self._read_new()
            except FileNotFoundError:
                self._known.clear()
                self._file, self._offset = 0, 0
            except OSError as error:
                raise HomeUnusable(self._path.parent, error.strerror or str(error)) from None
            return tuple(reversed(self._known))

    def _read_new(self) -> None:
        with self._path.open("rb") as file:
            found = self._path.stat()
            if found.st_ino != self._file or found.st_size < self._offset:
                self._known.clear()
                self._file, self._offset = found.st_ino, 0
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                experiment = parse_line(line)
                if experiment is not None:
                    best = experiment.trials[:MAX_TRIALS]
                    self._known.append(experiment.model_copy(update={"trials": best}))
