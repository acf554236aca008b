"""Retraining: what a person asks for by `modstream train`, and a retrainer when a model decays."""

from dataclasses import dataclass
from pathlib import Path

import structlog

from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.models.registry.registry import Registry
from modstream.models.schema.card import ModelCard
from modstream.models.training.dataset import Labelled
from modstream.models.training.search import Tell
from modstream.models.training.train import Trained, train
from modstream.registry.events import model_event
from modstream.retrain.collect import collect
from modstream.retrain.page import write_page
from modstream.settings import Settings

CHALLENGER = "challenger"


@dataclass(frozen=True, slots=True)
class Retrained:
    """What came of a retraining: the published card if it was accepted, and its report."""

    trained: Trained
    card: ModelCard | None
    report: Path


def retrain(
    settings: Settings,
    registry: Registry,
    model: str,
    *,
    because: str = "retrained",
    tell: Tell = lambda _doing, _share: None,
    alias: str | None = CHALLENGER,
) -> Retrained:
    """Train a challenger of a model on the stream's recent feedback, test it, and publish it.

    The order: read what the topic holds now; train on all but the newest part; compare on that
    with the threshold in the settings and with the champion; write the report; publish what was
    accepted under `alias`, if there is one, with `because` as evidence. The champion stays.

    Raises:
        ModelNotFound: the model has no champion that says what its rows are.
        TrainingError: the feedback is too little or too broken; nothing is written.
        BrokerError: the topic cannot be read.
    """
    topics = settings.topics()
    champion = registry.card(model)
    tell("reading feedback", 0.0)
    records = read_to_end(settings.connection, [topics.feedback])
    table = collect(records, champion, settings.train.rows)
    trained = train(table, settings.train, tell)
    report = settings.home / "reports" / f"train-{model}.html"
    write_page(table, trained, settings.train, report)
    card = None
    if alias is not None and trained.accepted:
        card = _publish(settings, registry, trained, alias, because)
    _log(table, trained, card)
    return Retrained(trained, card, report)


def _publish(
    settings: Settings, registry: Registry, trained: Trained, alias: str, because: str
) -> ModelCard:
    card = registry.publish(trained.draft, trained.artifact, alias=alias, evidence=because)
    with Publisher(settings.connection, "modstream-train") as publisher:
        publisher.send(
            model_event(settings.topics(), card, "publish", alias=alias, evidence=because)
        )
        publisher.flush()
    return card


def _log(table: Labelled, trained: Trained, card: ModelCard | None) -> None:
    structlog.get_logger(__name__).info(
        "retrained",
        model=table.card.name,
        rows=len(table.labels),
        kind=trained.chosen.kind,
        accepted=trained.accepted,
        version=None if card is None else card.version,
        **{trained.metric: trained.figures.get(trained.metric)},
    )
