"""Experiments on their way to MLflow, if one is configured; the journal never depends on it."""

import os
from collections.abc import Sequence

import structlog

from modstream.errors import InvalidSettings, LibraryMissing, TrackingFailed
from modstream.experiments.experiment import Experiment
from modstream.experiments.mlflow_client import MlflowRuns
from modstream.experiments.mlflow_run import run_of
from modstream.mlflow_settings import MlflowSettings

VARIABLE = "MLFLOW_TRACKING_URI"


def tracking_address(settings: MlflowSettings) -> str:
    """Return the address of MLflow: that of the settings, or of MLflow's own variable, or none."""
    return settings.tracking_uri or os.environ.get(VARIABLE, "")


def send_or_warn(settings: MlflowSettings, experiment: Experiment) -> None:
    """Send an experiment; if MLflow does not take it, warn, and leave it to a later `send_missing`.

    Without an address nothing is done.
    """
    if not tracking_address(settings):
        return
    try:
        send_missing(settings, [experiment])
    except (TrackingFailed, LibraryMissing) as error:
        structlog.get_logger(__name__).warning(
            "experiment not sent to MLflow; `modstream experiments sync` sends it later",
            experiment=experiment.id,
            reason=str(error),
        )


def send_missing(
    settings: MlflowSettings, experiments: Sequence[Experiment]
) -> Sequence[Experiment]:
    """Send the experiments that MLflow does not have, and return them.

    Raises:
        InvalidSettings: no address is configured.
        LibraryMissing: MLflow's client is not installed.
        TrackingFailed: MLflow does not answer, or refuses a run; those before it were sent.
    """
    address = tracking_address(settings)
    if not address:
        raise InvalidSettings([f"mlflow.tracking_uri: it is empty, and so is {VARIABLE}"])
    runs = MlflowRuns(address, settings.experiment, settings.timeout_seconds)
    missing = [one for one in experiments if not runs.has(one.id)]
    for one in missing:
        runs.write(one.id, run_of(one))
    return missing
