"""One batch prediction: a table, a version, a file of answers."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from modstream.batch_prediction.answer_file import BatchReport, OnRows, write_answers
from modstream.batch_prediction.predictor import TablePredictor
from modstream.batch_prediction.source_table import SourceTable
from modstream.batch_prediction.version_files import VersionFiles
from modstream.errors import LibraryMissing

Engine = Literal["duckdb", "ray"]
RAY = "modstream.batch_prediction.ray_answers"


@dataclass(frozen=True, slots=True)
class BatchPrediction:
    """What is predicted, by which version, and which columns of the table are kept.

    `workers` is the number of actors under Ray, None for one for each core.
    """

    source: SourceTable
    files: VersionFiles
    kept: tuple[str, ...] = ()
    engine: Engine = "duckdb"
    workers: int | None = None

    def run(self, target: Path, on_rows: OnRows = lambda _rows: None) -> BatchReport:
        """Predict all rows, and write the answers to a file, which is replaced as a whole.

        Raises:
            UnusableSource: the table lacks a column or cannot be read, or the file not written.
            UntrustedModel: no trusted key has signed the version.
            ArtifactError: the version cannot be loaded.
            TensorsExpected: the model takes tensors.
            LibraryMissing: Ray is not installed.
        """
        self.source.require(self.kept)
        return write_answers(self._answers(), target, on_rows)

    def _answers(self) -> Iterator[Any]:
        if self.engine == "ray" and find_spec("ray") is None:
            raise LibraryMissing("batch prediction under Ray", "ray")
        predictor = TablePredictor.load(self.files, self.kept)
        batches = self.source.read(self.kept)
        # Without rows, so that the file of an empty table has its columns, too.
        yield predictor.predict(next(batches))
        if self.engine == "ray":
            batches.close()
            run = import_module(RAY).ray_answers
            yield from run(self.source, self.files, self.kept, self.workers)
        else:
            yield from map(predictor.predict, batches)
