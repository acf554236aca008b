"""Training of one model, for `modstream train` and for the retrainer service."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.records import Record
from modstream.datasets.catalogue import Catalogue
from modstream.experiments.experiment import Experiment
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
from modstream.retrain.recorded_training import (
    RecordedTraining,
    RunOrigin,
    Trainer,
    in_this_process,
    record_training,
)
from modstream.retrain.shared_training import Joiner
from modstream.retrain.table_source import TableOptions, TrainingRows, read_rows
from modstream.settings import Settings

REPORT_EVERY = 1000
"""Number of feedback records between two calls of the progress callback."""


@dataclass(frozen=True, slots=True)
class RetrainPlan:
    """How a model is retrained on recent feedback, and what becomes of an accepted challenger.

    Attributes:
        reason: why the model is retrained; written to the history of the alias.
        alias: where an accepted challenger is published; None publishes nothing.
        on_progress: called with the current step and the share that is done, 0 to 1.
        trainer: returns the training of some rows, such as in a process of its own.
        run: the run of a retrainer, if there is one.
        on_accepted: called with the experiment of a challenger before it is published.
    """

    reason: str = "retrained"
    alias: str | None = CHALLENGER
    on_progress: ProgressCallback = lambda _step, _share: None
    trainer: Trainer = in_this_process
    run: RunOrigin | None = None
    on_accepted: Callable[[Experiment], None] = lambda _: None


DEFAULT_PLAN = RetrainPlan()


def retrain(
    settings: Settings, registry: Registry, model: str, plan: RetrainPlan = DEFAULT_PLAN
) -> RecordedTraining:
    """Train a challenger of a model on the stream's recent feedback, test it, and publish it.

    The steps: read the feedback topic up to its present end; train on all rows but the newest;
    compare on the newest rows with `train.threshold` and with the champion; write the report;
    publish an accepted challenger. The champion keeps serving.

    Raises:
        ModelNotFound: if the model has no champion, whose card describes the rows.
        TrainingError: if there are too few valid rows; no report is written.
        TrainingFailed: if the process of the training has failed.
        BrokerError: if the topic cannot be read.
    """
    topics, champion = settings.topics(), registry.card(model)
    with (
        open_lineage(settings) as lineage,
        TrainingRun(lineage, topics, champion, plan.reason) as run,
    ):
        plan.on_progress("reading feedback", 0.0)
        records = run.reading(read_to_end(settings.connection, [topics.feedback]))
        steps = _reporting(records, plan.on_progress)
        rows = TrainingRows(
            collect(steps, champion, settings.train.max_rows), f"topic {topics.feedback}"
        )
        train_rows = plan.trainer(rows, settings.train, plan.on_progress)
        with record_training(settings, model, rows, train_rows, plan.run) as found:
            if plan.alias is not None and found.training.is_accepted:
                plan.on_accepted(found.experiment)
                found.card = publish_challenger(
                    settings, registry, found.training, plan.alias, plan.reason
                )
                run.published(found.card, plan.alias)
    _log(rows.dataset, found.training, found.card)
    return found


def _reporting(records: Iterable[Record], on_progress: ProgressCallback) -> Iterator[Record]:
    """Yield records, and report now and then that they are read."""
    for number, record in enumerate(records):
        if number % REPORT_EVERY == 0:
            on_progress("reading feedback", 0.0)
        yield record


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
    trainer: Trainer = in_this_process,
) -> RecordedTraining:
    """Train a challenger of a model, or its first version, on a file or a data set.

    Args:
        settings: the settings.
        model: the model's name.
        options: the table, and what its columns are for.
        publication: where to; without it, nothing is published, and no champion is known.
        on_progress: called with the current step and the share that is done, 0 to 1.
        trainer: returns the training of the rows, such as a search that is shared.

    Raises:
        UnusableSource: the table cannot be read.
        UnknownName: there is no such data set.
        TrainingError: there are too few valid rows, or the columns do not fit.
    """
    champion = None if publication is None else _champion_of(publication.registry, model)
    on_progress("reading rows", 0.0)
    rows = read_rows(options, Catalogue(settings.data_folder), model, champion)
    train_rows = trainer(rows, settings.train, on_progress)
    with record_training(settings, model, rows, train_rows) as found:
        if publication is not None and found.training.is_accepted:
            registry, alias, reason = publication
            found.card = publish_challenger(settings, registry, found.training, alias, reason)
    _log(rows.dataset, found.training, found.card)
    return found


def join_table(
    settings: Settings,
    model: str,
    options: TableOptions,
    registry: Registry | None,
    join: Joiner,
) -> int:
    """Take part in the search of a `train_table` of another process; return the number of trials.

    Args:
        settings: the settings of that process, but for the budget.
        model: the model's name.
        options: the table of that process.
        registry: that of its publication, if it publishes.
        join: takes trials of the rows.

    Raises:
        UnusableSource: the table cannot be read.
        UnknownName: there is no such data set.
        TrainingError: there are too few valid rows, or the study cannot be used.
    """
    champion = None if registry is None else _champion_of(registry, model)
    return join(read_rows(options, Catalogue(settings.data_folder), model, champion))


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
    announce_challenger(settings, card, alias, reason)
    return card


def announce_challenger(settings: Settings, card: ModelCard, alias: str, reason: str) -> None:
    """Send the event of a published challenger, which may be repeated."""
    event = model_event(settings.topics(), card, "publish", alias=alias, reason=reason)
    with Publisher(settings.connection, "modstream-train") as publisher:
        publisher.send(event)
        publisher.flush()


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
