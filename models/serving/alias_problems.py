"""The aliases that point at a version which cannot be loaded, for health reports."""

from collections.abc import Mapping
from threading import Lock
from types import MappingProxyType

from modstream.models.errors import ModelError, ModelLoading
from modstream.models.registry.errors import ModelNotFound, RegistryUnavailable
from modstream.models.serving.loaded_models import ModelRef


class AliasProblems:
    """Why the version of an alias cannot be loaded, until it can or the alias is gone.

    Version numbers are left out: whoever asks for a broken version by its number gets an error,
    but nothing is wrong with the service. Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._reasons: dict[ModelRef, str] = {}
        self._lock = Lock()

    def record(self, ref: ModelRef, error: ModelError) -> None:
        """Record a failed load; an outage of the registry says nothing about the version."""
        with self._lock:
            if isinstance(error, ModelNotFound):
                self._reasons.pop(ref, None)
            elif isinstance(ref[1], str) and not isinstance(
                error, RegistryUnavailable | ModelLoading
            ):
                self._reasons[ref] = str(error)

    def discard(self, ref: ModelRef) -> None:
        """Forget the problem of an alias that serves what it points at."""
        with self._lock:
            self._reasons.pop(ref, None)

    def reasons(self) -> Mapping[ModelRef, str]:
        """Return the reason of each problem, as a read-only copy."""
        with self._lock:
            return MappingProxyType(dict(self._reasons))
