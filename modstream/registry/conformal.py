"""The thresholds of conformal sets in Redis: opened by the settings, and followed by a worker."""

from collections.abc import Callable
from threading import Event
from typing import Self

import structlog

from modstream.models.errors import ModelError
from modstream.models.evaluation.served_sets import ServedThresholds
from modstream.models.evaluation.version_classes import FindCard
from modstream.models.registry.calibration_table import CalibrationTable
from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.errors import RegistryUnavailable
from modstream.models.registry.registry import Registry
from modstream.models.schema.card import ModelCard
from modstream.process.background import BackgroundThread
from modstream.processors.conformal.model_state import decode_thresholds
from modstream.processors.errors import UnreadableConformalState
from modstream.settings import Settings

CLOSE_SECONDS = 2.0
CARD_RETRY_SECONDS = 0.5


def open_calibrations(settings: Settings) -> CalibrationTable:
    """Return the table with the state of the settings' stream."""
    registry = RegistrySettings(prefix=f"{settings.prefix}modstream")
    return CalibrationTable(settings.redis_url, registry, settings.stream)


class ThresholdFollower:
    """The newest thresholds of a stream, read by a thread in the background.

    The first are read before the context is entered, if Redis answers. While it does not, and while
    what it has cannot be read, the last ones stay. `thresholds` is called between two batches.
    """

    def __init__(self, settings: Settings) -> None:
        self._models = frozenset(settings.conformal.coverage)
        self._seconds = settings.conformal.refresh_seconds
        self._table = open_calibrations(settings)
        self._log = structlog.get_logger(__name__)
        self._known: ServedThresholds = {}
        self._problem = ""
        self._thread = BackgroundThread("conformal-thresholds", self._follow)

    def thresholds(self) -> ServedThresholds:
        """Return the thresholds of the models whose answers have sets."""
        return self._known

    def __enter__(self) -> Self:
        if self._models:
            self.refresh()
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._models:
            self._thread.stop(CLOSE_SECONDS)
        self._table.__exit__()

    def refresh(self) -> None:
        """Read the newest thresholds now; a failure is logged once, and the last ones stay."""
        try:
            published = self._table.thresholds()
            found = {} if published is None else decode_thresholds(published)
        except (RegistryUnavailable, UnreadableConformalState) as error:
            if not self._problem:
                self._log.warning("conformal thresholds are not refreshed", cause=str(error))
            self._problem = str(error)
            return
        self._problem = ""
        if published is not None:  # A state that Redis has lost is written again.
            self._known = {model: one for model, one in found.items() if model in self._models}

    def _follow(self, stop: Event) -> None:
        while not stop.wait(self._seconds):
            self.refresh()


def patient_card_finder(
    registry: Registry, stop: Event, on_wait: Callable[[str], None]
) -> FindCard:
    """Return a function that finds cards, and waits while the registry is not available.

    So whether a label counts depends on the registry's content, not on when it answered. `on_wait`
    is called with the cause, and with an empty text at the end. The function raises
    RegistryUnavailable if `stop` is set while it waits.
    """

    def find(model: str, version: int) -> ModelCard | None:
        while True:
            try:
                card = registry.card(model, version)
            except RegistryUnavailable as error:
                on_wait(str(error))
                if stop.wait(CARD_RETRY_SECONDS):
                    raise
                continue
            except ModelError:
                card = None
            on_wait("")
            return card

    return find
