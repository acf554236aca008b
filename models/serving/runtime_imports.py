"""Imports of machine-learning libraries ahead of the first request that needs them."""

import time
from collections.abc import Collection
from contextlib import suppress
from threading import Lock, Thread

import structlog

from modstream.models.registry.errors import RegistryError
from modstream.models.registry.registry import Registry
from modstream.models.runtimes.runtime import RUNTIMES, import_runtime
from modstream.models.trial.process import TrialProcess

MAX_MODELS = 100
"""Models whose runtime is looked up at the start."""

log = structlog.get_logger(__name__)


class RuntimeImports:
    """Imports the libraries of the runtimes that the registry's models need.

    Importing one takes seconds, many times longer than loading a small model. It is begun in a
    thread when a model is published, so that the first request for it does not have to wait.
    """

    def __init__(self, registry: Registry, trials: TrialProcess | None) -> None:
        self._registry = registry
        self._trials = trials
        self._begun: dict[str, Thread] = {}
        self._lock = Lock()

    def prepare_all(self) -> None:
        """Begin the imports for all models that are published already."""
        try:
            self.prepare(self._registry.names()[:MAX_MODELS])
        except RegistryError:
            return  # they are imported when they are needed

    def prepare(self, names: Collection[str]) -> None:
        """Begin the imports for these models."""
        for name in names:
            try:
                newest = self._registry.newest(name)
            except RegistryError:
                continue
            if newest is not None:
                self.begin(newest.runtime)

    def begin(self, runtime: str) -> None:
        """Begin the import of one runtime's libraries, here and where versions are tried."""
        with self._lock:
            if runtime in RUNTIMES.keys() - self._begun.keys():
                thread = Thread(
                    target=self._import, args=[runtime], name="runtime-import", daemon=True
                )
                thread.start()
                self._begun[runtime] = thread

    @property
    def are_running(self) -> bool:
        """Whether a library is being imported."""
        return any(thread.is_alive() for thread in list(self._begun.values()))

    def join(self, seconds: float) -> None:
        """Wait for the imports that were begun, at most so long in all."""
        deadline = time.monotonic() + seconds
        for thread in list(self._begun.values()):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _import(self, runtime: str) -> None:
        if self._trials is not None:
            with suppress(OSError):  # the first trial will say why
                self._trials.prepare(runtime)
        try:
            import_runtime(runtime)
        except ImportError as error:
            log.warning("runtime not available", runtime=runtime, reason=str(error))
        if self._trials is not None:
            with suppress(OSError):
                self._trials.wait_until_ready(runtime)
