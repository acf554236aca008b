"""Runs in MLflow's tracking store, by its own client, which is imported when it is needed."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from modstream.errors import LibraryMissing, TrackingFailed
from modstream.experiments.mlflow_run import ID_TAG, RunFacts
from modstream.models.training.masked_urls import mask_passwords

RETRIES = 1


class MlflowRuns:
    """The runs of one experiment of MLflow. All methods raise `TrackingFailed` if it fails.

    Raises:
        LibraryMissing: MLflow's client is not installed.
    """

    def __init__(self, address: str, experiment: str, timeout_seconds: float) -> None:
        self.address = mask_passwords(address)
        self._timeout = timeout_seconds
        with self._bounded():
            self._mlflow = _import_client()
            self._client: Any = self._mlflow.MlflowClient(tracking_uri=address)
            self._experiment = self._find_or_create(experiment)

    def has(self, experiment_id: str) -> bool:
        """Return whether the run of an experiment of modstream is there, and complete."""
        with self._bounded():
            run = self._find(experiment_id)
            return run is not None and run.info.status != "RUNNING"

    def write(self, experiment_id: str, facts: RunFacts) -> None:
        """Write the run of an experiment; one that was begun and not completed is completed."""
        entities = import_module("mlflow.entities")
        with self._bounded():
            run = self._find(experiment_id) or self._client.create_run(
                self._experiment,
                start_time=facts.start,
                tags=dict(facts.tags),
                run_name=facts.name,
            )
            self._client.log_batch(
                run.info.run_id,
                metrics=[
                    entities.Metric(one.name, one.value, facts.end, one.step)
                    for one in facts.metrics
                ],
                params=[entities.Param(name, value) for name, value in facts.parameters.items()],
            )
            self._client.set_terminated(run.info.run_id, facts.status, facts.end)

    def _find(self, experiment_id: str) -> Any:  # noqa: ANN401 - MLflow's
        found = self._client.search_runs(
            [self._experiment], f"tags.`{ID_TAG}` = '{experiment_id}'", max_results=1
        )
        return found[0] if found else None

    def _find_or_create(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self._client.create_experiment(name))

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        """Bound the time of requests, print nothing, and translate errors.

        MLflow's client reads its bounds from the environment; what a user has set there holds.
        """
        bounds = {
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": str(RETRIES),
            "MLFLOW_HTTP_REQUEST_TIMEOUT": str(max(1, round(self._timeout))),
            # Its addresses would stand between the lines of a command's own output.
            "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        }
        added = {name: value for name, value in bounds.items() if name not in os.environ}
        os.environ.update(added)
        try:
            with warnings.catch_warnings():
                # Its code calls deprecated functions of its dependencies.
                warnings.simplefilter("ignore", DeprecationWarning)
                yield
        except LibraryMissing:
            raise
        except Exception as error:  # noqa: BLE001 - see below
            # Besides its own errors, those of requests, of SQLAlchemy and of plug-ins come through.
            reason = mask_passwords(f"{error}".strip().partition("\n")[0])
            raise TrackingFailed(self.address, reason or type(error).__name__) from None
        finally:
            for name in added:
                del os.environ[name]


def _import_client() -> Any:  # noqa: ANN401 - a module
    try:
        module = import_module("mlflow.tracking")
    except ImportError:
        raise LibraryMissing("MLflow", "mlflow") from None
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return module
