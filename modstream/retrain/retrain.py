"""Training of one model, for `modstream train` and for the retrainer service."""

from typing import NamedTuple

import structlog

from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.datasets.catalogue import Catalogue
from modstream.lineage.emitter import open_lineage
from modstream.lineage.training import TrainingRun
from modstream.models.registry.errors import ModelNotFound
from modstream.models.registry.refs import CHALLENGER
from modstream.models.registry.registry import Registry
from modstream.models.schema.card import ModelCard
from modstream.models.training.dataset import LabelledDataset
from modstream.models.training.search import ProgressCallback
from modstream.models.training.train import TrainingResult
from modstream.registry.events import model_event
from modstream.retrain.collect import collect
from modstream.retrain.recorded_training import RecordedTraining, record_training
from modstream.retrain.table_source import TableOptions, TrainingRows, read_rows
from modstream.settings import Settings


def retrain(
    settings: Settings,
    registry: Registry,
    model: str,
    *,
    reason: str = "retrained",
    on_progress: ProgressCallback = lambda _step, _share: None,
    alias: str | None = CHALLENGER,
) -> RecordedTraining:
    """Train a challenger of a model on the stream's recent feedback, test it, and publish it.

    The steps: read the feedback topic up to its present end; train on all rows but the newest;
    compare on the newest rows with `train.threshold` and with the champion; write the report;
    publish an accepted challenger. The champion keeps serving.

    Args:
        settings: the settings.
        registry: the model registry.
        model: the model's name.
        reason: why the model is retrained; written to the history of the alias.
        on_progress: called with the current step and the share that is done, 0 to 1.
        alias: where an accepted challenger is published; None publishes nothing.

    Raises:
        ModelNotFound: if the model has no champion, whose card describes the rows.
        TrainingError: if there are too few valid rows; no report is written.
        BrokerError: if the topic cannot be read.
    """
    topics, champion = settings.topics(), registry.card(model)
    with (
        open_lineage(settings) as lineage,
        TrainingRun(lineage, topics, champion, reason) as run,
    ):
        on_progress("reading feedback", 0.0)
        records = run.reading(read_to_end(settings.connection, [topics.feedback]))
        dataset = collect(records, champion, settings.train.max_rows)
        rows = TrainingRows(dataset, f"topic {topics.feedback}")
        with record_training(settings, model, rows, on_progress) as found:
            if alias is not None and found.training.is_accepted:
                found.card = publish_challenger(settings, registry, found.training, alias, reason)
                run.published(found.card, alias)
    _log(dataset, found.training, found.card)
    return found


class Publication(NamedTuple):
    """Where an accepted challenger is published, and the reason in the history of the alias."""

    registry: Registry
    alias: str = CHALLENGER
    reason: str = "trained"


def train_table(
    settings: Settings,
    model: str,
    options: TableOptions,
    publication: Publication | None,
    on_progress: ProgressCallback = lambda _step, _share: None,
) -> RecordedTraining:
    """Train a challenger of a model, or its first version, on a file or a data set.

    Args:
        settings: the settings.
        model: the model's name.
        options: the table, and what its columns are for.
        publication: where to; without it, nothing is published, and no champion is known.
        on_progress: called with the current step and the share that is done, 0 to 1.

    Raises:
        UnusableSource: the table cannot be read.
        UnknownName: there is no such data set.
        TrainingError: there are too few valid rows, or the columns do not fit.
    """
    champion = None if publication is None else _champion_of(publication.registry, model)
    on_progress("reading rows", 0.0)
    rows = read_rows(options, Catalogue(settings.data_folder), model, champion)
    with record_training(settings, model, rows, on_progress) as found:
        if publication is not None and found.training.is_accepted:
            registry, alias, reason = publication
            found.card = publish_challenger(settings, registry, found.training, alias, reason)
    _log(rows.dataset, found.training, found.card)
    return found


def _champion_of(registry: Registry, model: str) -> ModelCard | None:
    try:
        return registry.card(model)
    except ModelNotFound:
        return None


def publish_challenger(
    settings: Settings, registry: Registry, training: TrainingResult, alias: str, reason: str
) -> ModelCard:
    """Publish an accepted challenger under an alias, and announce it."""
    card = registry.publish(training.spec, training.artifact, alias=alias, reason=reason)
    event = model_event(settings.topics(), card, "publish", alias=alias, reason=reason)
    with Publisher(settings.connection, "modstream-train") as publisher:
        publisher.send(event)
        publisher.flush()
    return card


def _log(dataset: LabelledDataset, training: TrainingResult, card: ModelCard | None) -> None:
    structlog.get_logger(__name__).info(
        "retrained",
        model=dataset.card.name,
        rows=len(dataset.labels),
        kind=training.chosen.kind,
        accepted=training.is_accepted,
        version=None if card is None else card.version,
        **{training.metric: training.metrics.get(training.metric)},
    )
