"""Retraining of one model, for `modstream train` and for the retrainer service."""

from dataclasses import dataclass
from pathlib import Path

import structlog

from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.lineage.emitter import open_lineage
from modstream.lineage.training import TrainingRun
from modstream.models.registry.refs import CHALLENGER
from modstream.models.registry.registry import Registry
from modstream.models.schema.card import ModelCard
from modstream.models.training.dataset import LabelledDataset
from modstream.models.training.search import ProgressCallback
from modstream.models.training.train import TrainingResult, train
from modstream.registry.events import model_event
from modstream.retrain.collect import collect
from modstream.retrain.page import write_page
from modstream.settings import Settings


@dataclass(frozen=True, slots=True)
class RetrainResult:
    """The result of a retraining, its report, and the card if a challenger was published."""

    training: TrainingResult
    card: ModelCard | None
    report: Path


def retrain(
    settings: Settings,
    registry: Registry,
    model: str,
    *,
    reason: str = "retrained",
    on_progress: ProgressCallback = lambda _step, _share: None,
    alias: str | None = CHALLENGER,
) -> RetrainResult:
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
        training = train(dataset, settings.train, on_progress)
        report = settings.home / "reports" / f"train-{model}.html"
        write_page(dataset, training, settings.train, report)
        card = None
        if alias is not None and training.is_accepted:
            card = _publish(settings, registry, training, alias, reason)
            run.published(card, alias)
    _log(dataset, training, card)
    return RetrainResult(training, card, report)


def _publish(
    settings: Settings, registry: Registry, training: TrainingResult, alias: str, reason: str
) -> ModelCard:
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
