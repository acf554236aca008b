"""The settings of MLflow; this module imports no other of modstream."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MlflowSettings:
    """Where experiments are sent, besides the journal in the home directory."""

    tracking_uri: str = ""
    """The address of an MLflow server, or of a database as MLflow takes it (`sqlite:///ml.db`). By
    default that of the variable `MLFLOW_TRACKING_URI`; without one, nothing is sent. Needs the
    extra `mlflow`."""
    experiment: str = "modstream"
    """The experiment of MLflow whose runs the experiments become."""
    timeout_seconds: float = 10.0
    """Seconds within which the server must answer a request."""
