"""A training with its report and its entry in the journal of experiments."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from modstream.experiments.data_hash import hash_rows
from modstream.experiments.experiment import DataRecord, Experiment
from modstream.experiments.journal import Journal
from modstream.experiments.recorded import experiment_of, failed_experiment
from modstream.models.errors import ModelError
from modstream.models.schema.card import ModelCard
from modstream.models.training.dataset import LabelledDataset
from modstream.models.training.search import ProgressCallback
from modstream.models.training.train import TrainingResult, train
from modstream.retrain.page import write_page
from modstream.retrain.table_source import TrainingRows
from modstream.settings import Settings


@dataclass(slots=True)
class RecordedTraining:
    """A training that came to a result, its report and experiment; `card` is set if published."""

    training: TrainingResult
    report: Path
    experiment: Experiment
    card: ModelCard | None = None


@contextmanager
def record_training(
    settings: Settings, model: str, rows: TrainingRows, on_progress: ProgressCallback
) -> Iterator[RecordedTraining]:
    """Train, write the report, yield the result, and add it to the journal at the end.

    What the body sets as `card` is the published version. A training that ends with an error is an
    experiment, too.

    Raises:
        TrainingError: there are too few valid rows, or the settings do not fit them.
        ArtifactError: no model can be exported.
        HomeUnusable: the journal cannot be written.
    """
    journal, dataset = Journal(settings.home), rows.dataset
    tested: list[LabelledDataset] = []
    try:
        training = train(dataset, settings.train, on_progress, rows.open_test, tested.append)
    except ModelError as error:
        data = _data_record(journal, rows, tested)
        journal.append(
            failed_experiment(model, dataset.card.task, str(error), data, settings.train)
        )
        raise
    data = _data_record(journal, rows, tested)
    experiment = experiment_of(model, training, data, settings.train)
    report = settings.home / "reports" / f"train-{model}.html"
    write_page(dataset, training, settings.train, report, data.test_openings)
    found = RecordedTraining(training, report, experiment)
    try:
        yield found
    finally:
        version = None if found.card is None else found.card.version
        journal.append(experiment.model_copy(update={"version": version, "report": str(report)}))


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
