"""Lookup of the cards of the versions that predictions name."""

from time import monotonic

import structlog

from modstream.models.errors import ModelError
from modstream.models.evaluation.version_classes import FindCard
from modstream.models.registry.registry import Registry
from modstream.models.schema.card import ModelCard

WARNING_INTERVAL_SECONDS = 60.0
"""Minimum time between two warnings about unknown versions: anybody can name versions."""


def card_finder(registry: Registry) -> FindCard:
    """Return a function that finds cards in the registry, and None where it finds none.

    That the classes of a version are unknown is logged, at most once a minute.
    """
    next_warning = 0.0

    def find(model: str, version: int) -> ModelCard | None:
        nonlocal next_warning
        try:
            return registry.card(model, version)
        except ModelError as error:
            if monotonic() >= next_warning:
                next_warning = monotonic() + WARNING_INTERVAL_SECONDS
                structlog.get_logger(__name__).warning(
                    "classes of a version unknown, its predictions are not scored",
                    model=model,
                    version=version,
                    cause=str(error),
                )
            return None

    return find
