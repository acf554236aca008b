"""The runs of a retrainer on disk, and from where it reads on; they outlive its process.

A run is written down before it begins and again when it ends, so that one whose process was killed
is known. The file is replaced as a whole.
"""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modstream.broker.wire.records import Offsets, TopicPartition
from modstream.errors import HomeUnusable
from modstream.experiments.experiment import Experiment, TriggerRecord
from modstream.processors.learn.retrain_policy import Trigger

FOLDER = "retrainings"
ID_BYTES = 4
MAX_RUNS = 200
"""Number of runs that are kept, the newest ones."""
DAY = timedelta(days=1)

RunOutcome = Literal["published", "rejected", "not_trained", "failed", "abandoned"]


class RetrainingRun(BaseModel):
    """One retraining: why it was begun, and what became of it.

    Without an `outcome` it has not ended. `attempts` counts how often it was begun. `experiment` is
    kept while the version may be published, and the journal does not have it yet.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    began: datetime
    trigger: TriggerRecord
    attempts: int = 1
    ended: datetime | None = None
    outcome: RunOutcome | None = None
    reason: str = ""
    version: int | None = None
    alias: str | None = None
    experiment: Experiment | None = None

    @classmethod
    def begin(cls, trigger: Trigger) -> "RetrainingRun":
        """Return a new run that begins now."""
        record = TriggerRecord(
            kind=trigger.kind, reason=trigger.reason, figures=dict(trigger.figures)
        )
        return cls(id=token_hex(ID_BYTES), began=datetime.now(UTC), trigger=record)

    @property
    def note(self) -> str:
        """The reason in the history of the alias, by which the published version is found again."""
        return f"{self.trigger.reason} (run {self.id})"


class RetrainerState(BaseModel):
    """What a retrainer knows of earlier processes.

    `baseline` are the offsets of the feedback from which it reads at the next start, by
    "topic:partition"; `figures` what its last comparison found, and `labels` the number of labels
    since the last run. `waiting` says why a reason to retrain waits.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: str
    stream: str
    baseline: Mapping[str, int] = Field(default_factory=dict)
    labels: int = 0
    figures: Mapping[str, float] = Field(default_factory=dict)
    waiting: str = ""
    runs: tuple[RetrainingRun, ...] = ()

    @property
    def unfinished(self) -> RetrainingRun | None:
        """The run that has not ended, if there is one."""
        return self.runs[-1] if self.runs and self.runs[-1].outcome is None else None

    def runs_since(self, time: datetime) -> int:
        """Return how many runs began after a time."""
        return sum(run.began > time for run in self.runs)


class RunLog:
    """The state of one retrainer, in a file of the home directory."""

    def __init__(self, path: Path, state: RetrainerState) -> None:
        self._path = path
        self.state = _read(path) or state

    @classmethod
    def of(cls, home: Path, stream: str, model: str) -> "RunLog":
        """Return the runs of the retrainer of a model of a stream.

        Raises:
            HomeUnusable: the file cannot be read.
        """
        name = quote(f"{stream}.{model}", safe="")
        return cls(home / FOLDER / f"{name}.json", RetrainerState(model=model, stream=stream))

    @property
    def work_folder(self) -> Path:
        """The folder of the process of a training."""
        return self._path.with_suffix(".training")

    def baseline(self) -> Offsets:
        """Return from where the feedback is read; empty for its beginning."""
        return {TopicPartition.parse(name): at for name, at in self.state.baseline.items()}

    def save(self, **changes: object) -> None:
        """Change fields of the state; they are on the disk when this returns.

        Raises:
            HomeUnusable: the file cannot be written.
        """
        self.state = self.state.model_copy(update=changes)
        temporary = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("w") as file:
                file.write(self.state.model_dump_json())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        except OSError as error:
            raise HomeUnusable(self._path.parent, error.strerror or str(error)) from None

    def put(self, run: RetrainingRun, **changes: object) -> RetrainingRun:
        """Add a run, or replace it by its id; return it. The oldest runs are left out."""
        others = [one for one in self.state.runs if one.id != run.id]
        self.save(runs=tuple([*others, run][-MAX_RUNS:]), **changes)
        return run

    def runs_of_a_day(self) -> int:
        """Return the number of runs that began within the last 24 hours."""
        return self.state.runs_since(datetime.now(UTC) - DAY)


def read_states(home: Path) -> Sequence[RetrainerState]:
    """Return the states of all retrainers of a home directory, by name.

    Raises:
        HomeUnusable: a file cannot be read.
    """
    found = map(_read, sorted((home / FOLDER).glob("*.json")))
    return [state for state in found if state is not None]


def _read(path: Path) -> RetrainerState | None:
    """Return the state in a file; None if there is none, or none that can be read."""
    try:
        return RetrainerState.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    except OSError as error:
        raise HomeUnusable(path.parent, error.strerror or str(error)) from None
