"""A training with its report and its entry in the journal of experiments."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from modstream.errors import TrainingFailed
from modstream.experiments.experiment import DataRecord, Experiment, TriggerRecord
from modstream.experiments.journal import Journal
from modstream.experiments.mlflow_sync import send_or_warn
from modstream.experiments.recorded import experiment_of, failed_experiment
from modstream.models.errors import ModelError
from modstream.models.schema.card import ModelCard
from modstream.models.training.data_hash import hash_rows
from modstream.models.training.dataset import LabelledDataset
from modstream.models.training.search import ProgressCallback
from modstream.models.training.settings import TrainSettings
from modstream.models.training.train import OnTest, TrainingResult, train
from modstream.retrain.page import write_page
from modstream.retrain.table_source import TrainingRows
from modstream.settings import Settings

TrainRows = Callable[[OnTest], TrainingResult]
"""Trains a challenger; what it is given receives the rows of the test."""
Trainer = Callable[[TrainingRows, TrainSettings, ProgressCallback], TrainRows]
"""Returns the training of some rows."""


@dataclass(slots=True)
class RecordedTraining:
    """A training that came to a result, its report and experiment; `card` is set if published."""

    training: TrainingResult
    report: Path
    experiment: Experiment
    card: ModelCard | None = None


class RunOrigin(NamedTuple):
    """The id of a run of the retrainer, which is that of its experiment, and what it was for."""

    id: str
    trigger: TriggerRecord


def in_this_process(
    rows: TrainingRows, settings: TrainSettings, on_progress: ProgressCallback
) -> TrainRows:
    """Return the training of some rows in this process."""
    return lambda on_test: train(rows.dataset, settings, on_progress, rows.open_test, on_test)


@contextmanager
def record_training(
    settings: Settings,
    model: str,
    rows: TrainingRows,
    train_rows: TrainRows,
    run: RunOrigin | None = None,
) -> Iterator[RecordedTraining]:
    """Train, write the report, yield the result, and add it to the journal at the end.

    What the body sets as `card` is the published version. A training that ends with an error is an
    experiment, too. `train_rows` trains; `run` names the run of a retrainer.

    Raises:
        TrainingError: there are too few valid rows, or the settings do not fit them.
        TrainingFailed: the process of the training has failed.
        ArtifactError: no model can be exported.
        HomeUnusable: the journal cannot be written.
    """
    journal, dataset = Journal(settings.home), rows.dataset
    origin = {} if run is None else run._asdict()
    tested: list[LabelledDataset] = []
    try:
        training = train_rows(tested.append)
    except (ModelError, TrainingFailed) as error:
        data = _data_record(journal, rows, tested)
        failed = failed_experiment(model, dataset.card.task, str(error), data, settings.train)
        failed = failed.model_copy(update=origin)
        journal.append(failed)
        send_or_warn(settings.mlflow, failed)
        raise
    data = _data_record(journal, rows, tested)
    experiment = experiment_of(model, training, data, settings.train)
    report = settings.home / "reports" / f"train-{model}.html"
    write_page(dataset, training, settings.train, report, data.test_openings)
    experiment = experiment.model_copy(update={**origin, "report": str(report)})
    found = RecordedTraining(training, report, experiment)
    try:
        yield found
    finally:
        version = None if found.card is None else found.card.version
        experiment = experiment.model_copy(update={"version": version})
        journal.append(experiment)
        send_or_warn(settings.mlflow, experiment)


def _data_record(journal: Journal, rows: TrainingRows, tested: list[LabelledDataset]) -> DataRecord:
    sha256 = hash_rows(tested[0]) if tested else ""
    return DataRecord(
        source=rows.source,
        sha256=hash_rows(rows.dataset),
        rows=len(rows.dataset.labels),
        features=rows.dataset.card.input_schema.names,
        test_rows=len(tested[0].labels) if tested else 0,
        test_sha256=sha256,
        test_openings=journal.test_openings(sha256) + 1 if tested else 0,
    )
