"""The folder of a precompute run in the home directory: what it does, and how far it is.

| file | contents |
|---|---|
| `lock` | locked by the process that runs it |
| `run.json` | the `RunPlan`, written once |
| `progress.json` | the last `Checkpoint` |
| `rows.jsonl` | a copy of the rows, if the source may be different when it is read again |

A file is replaced as a whole, so that a process that is killed leaves the old one or the new one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from modstream.errors import LockHeld, SlotTaken
from modstream.locks import hold_lock
from modstream.processors.precompute.request_ids import RequestIds
from modstream.processors.precompute.run_progress import RunProgress

FOLDER = "precompute"
S = TypeVar("S")


class RunPlan(Struct, frozen=True):
    """What a run does; the same at every resume.

    `source` is described as the command names it; `fingerprint` changes with the contents of a
    file. `requests` and `responses` are the ends of the topics of requests and of responses when
    the run began.
    """

    run: str
    token: str
    stream: str
    model: str
    version: int | str
    source: str
    key: str
    fingerprint: str
    requests: dict[str, int]
    responses: dict[str, int]

    @property
    def ids(self) -> RequestIds:
        """The ids of the run's requests."""
        return RequestIds(self.run, self.token)


class Checkpoint(Struct):
    """How far a run is. The topics are read again from these offsets after a restart.

    The progress has every request before the offsets in `requests`, and every response before
    those in `responses`.
    """

    requests: dict[str, int]
    responses: dict[str, int]
    progress: RunProgress = msgspec.field(default_factory=RunProgress)
    is_complete: bool = False


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one run."""

    path: Path

    @classmethod
    def of(cls, home: Path, stream: str, run: str) -> "RunFolder":
        """Return the folder of a stream's run."""
        return cls(home / FOLDER / stream / run)

    @property
    def rows(self) -> Path:
        """The copy of the rows."""
        return self.path / "rows.jsonl"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run as long as the context.

        Raises:
            SlotTaken: another process runs it.
        """
        try:
            with hold_lock(self.path / "lock"):
                yield
        except LockHeld as error:
            remedy = "wait until it has ended, or choose another name with --run"
            name = f"the precompute run {self.path.name}"
            raise SlotTaken(name, error.pid, error.command, remedy) from None

    def read_plan(self) -> RunPlan | None:
        """Return the plan of the run; None before it has begun."""
        return self._read("run.json", RunPlan)

    def read_checkpoint(self) -> Checkpoint | None:
        """Return the last checkpoint; None before the first."""
        return self._read("progress.json", Checkpoint)

    def write_plan(self, plan: RunPlan) -> None:
        """Begin a run: replace its plan, and forget the progress of the run before."""
        (self.path / "progress.json").unlink(missing_ok=True)
        self._write("run.json", plan)

    def write_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint."""
        self._write("progress.json", checkpoint)

    def remove(self) -> None:
        """Remove the run's files, except for its lock."""
        for name in ("progress.json", "run.json", "rows.jsonl"):
            (self.path / name).unlink(missing_ok=True)

    def _read(self, name: str, kind: type[S]) -> S | None:
        try:
            return msgspec.json.decode((self.path / name).read_bytes(), type=kind)
        except FileNotFoundError:
            return None

    def _write(self, name: str, value: object) -> None:
        replace_file(self.path / name, msgspec.json.encode(value))


def replace_file(path: Path, content: bytes) -> None:
    """Write a file as a whole: after a crash it has its old or its new content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
