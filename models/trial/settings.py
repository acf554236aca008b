"""Limits of a trial, apart from it so that they import no library."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrialLimits:
    """What one version may use in its trial."""

    seconds: float = 30.0
    """Wall-clock time for loading the version and predicting its rows."""
    memory_bytes: int = 2 * 1024**3
    """Memory in addition to that of the libraries and the artifact; enforced on Linux."""
    blocking_load_seconds: float = 5.0
    """Time for loading a model of a runtime that stops all threads of a worker meanwhile: River's
    pickles."""
