"""One training in a process of its own, at a lower priority, so that serving is not slowed down.

The process is killed if its parent ends, however that ends, if the parent is asked to stop, or if
it takes too long. It publishes nothing: only the parent does, so that a killed parent leaves no
process behind that might. Rows and result are exchanged by files in a folder that only this user
can read; it is removed afterwards, and what a killed parent has left there before.
"""

import os
import pickle
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from subprocess import Popen, TimeoutExpired
from time import monotonic

from modstream.broker.loop.isolation import is_fault, message_of
from modstream.errors import TrainingFailed
from modstream.models.errors import ModelError
from modstream.models.training.dataset import LabelledDataset
from modstream.models.training.errors import TrainingError
from modstream.models.training.search import ProgressCallback
from modstream.models.training.settings import TrainSettings
from modstream.models.training.train import OnTest, TrainingResult, train
from modstream.process.children import kill, module_command, spawn, tail
from modstream.retrain.recorded_training import TrainRows
from modstream.retrain.table_source import TrainingRows

NICENESS = 10
"""How much the priority of the process is lower than that of its parent."""
POLL_SECONDS = 0.1
INPUT, OUTPUT, LOG = "rows", "result", "log"
"""The files of the private folder."""


@dataclass(frozen=True, slots=True)
class TrainingOrder:
    """What is to be trained: the rows, oldest first, and the settings."""

    dataset: LabelledDataset
    settings: TrainSettings


@dataclass(frozen=True, slots=True)
class TrainingReply:
    """What became of it: the result and the rows of its test, or an error.

    `is_refused` says that no model can be trained from these rows, and not that something failed.
    """

    result: TrainingResult | None = None
    tested: LabelledDataset | None = None
    error: str = ""
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class TrainingProcess:
    """Trains in processes of their own, one after the other.

    Attributes:
        folder: the folder of the files, which no other process uses.
        max_seconds: the time after which a process is ended.
        check_stop: called several times a second; what it raises ends the process, and is raised.
    """

    folder: Path
    max_seconds: float = 3600.0
    check_stop: Callable[[], None] = lambda: None

    def train(
        self,
        dataset: LabelledDataset,
        settings: TrainSettings,
        on_test: OnTest = lambda _: None,
    ) -> TrainingResult:
        """Train a challenger on rows, oldest first; see `models.training.train.train`.

        `on_test` receives the rows that the model was tested on.

        Raises:
            TrainingError: no challenger can be trained from the rows.
            TrainingFailed: the process failed otherwise, was killed, or took too long.
        """
        rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700, parents=True)
        try:
            content = pickle.dumps(TrainingOrder(dataset, settings))
            (self.folder / INPUT).write_bytes(content)
            _run(self.folder, self.check_stop, self.max_seconds)
            reply = _read_reply(self.folder)
        finally:
            rmtree(self.folder, ignore_errors=True)
        if reply.result is None:
            raise (TrainingError if reply.is_refused else TrainingFailed)(reply.error)
        if reply.tested is not None:
            on_test(reply.tested)
        return reply.result

    def train_rows(
        self, rows: TrainingRows, settings: TrainSettings, _on_progress: ProgressCallback
    ) -> TrainRows:
        """Return the training of some rows, without a sealed test set; a `Trainer`."""
        return lambda on_test: self.train(rows.dataset, settings, on_test)


def main(folder: Path) -> None:
    """Train what the folder orders, and write the reply into it."""
    os.nice(NICENESS)
    order = pickle.loads((folder / INPUT).read_bytes())  # noqa: S301 - written by the parent
    temporary = folder / f".{OUTPUT}"
    temporary.write_bytes(pickle.dumps(_train(order)))
    temporary.replace(folder / OUTPUT)


def _train(order: TrainingOrder) -> TrainingReply:
    tested: list[LabelledDataset] = []
    try:
        result = train(
            order.dataset, order.settings, lambda _step, _share: None, on_test=tested.append
        )
    except ModelError as error:
        return TrainingReply(error=str(error), is_refused=isinstance(error, TrainingError))
    except BaseException as error:
        # The rows can make any step of scikit-learn or of an export fail, in any way.
        if not is_fault(error):
            raise
        return TrainingReply(error=f"{type(error).__name__}: {message_of(error)}")
    return TrainingReply(replace(result, metrics=dict(result.metrics)), tested[-1])


def _run(folder: Path, check_stop: Callable[[], None], max_seconds: float) -> None:
    """Run the process to its end.

    Raises:
        TrainingFailed: it took too long, or ended with an error.
    """
    command, log = module_command("modstream.retrain", str(folder)), folder / LOG
    process, end = spawn(command, log), monotonic() + max_seconds
    try:
        while process.poll() is None:
            check_stop()
            if monotonic() > end:
                raise TrainingFailed(f"it took more than {max_seconds:g} s")
            _wait(process)
    finally:
        kill(process)
    if process.returncode:
        raise TrainingFailed(f"its process ended with code {process.returncode}: {tail(log)}")


def _wait(process: Popen[bytes]) -> None:
    with suppress(TimeoutExpired):
        process.wait(POLL_SECONDS)


def _read_reply(folder: Path) -> TrainingReply:
    reply = pickle.loads((folder / OUTPUT).read_bytes())  # noqa: S301 - written by the child
    if not isinstance(reply, TrainingReply):
        raise TrainingFailed("its process wrote something else than a result")
    return reply
