"""The settings of a serverless function; this module imports no other of modstream."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ServerlessSettings:
    """Which version a function serves, and what it does with the answers to records.

    `modstream package` writes these settings into the function that it builds.
    """

    model: str = ""
    """The model's name; by default the first model of the route."""
    version: str = "champion"
    """A version number or an alias. Backups have no aliases."""
    source: Literal["backup", "registry"] = "registry"
    """Where the version is loaded from: the folder of backups, which the function's package
    contains, or Redis."""
    output: Literal["result", "kafka"] = "result"
    """Where the answers to records of Kafka and SQS go: into the function's result, or to the topic
    of predictions of the stream in the settings. A failed delivery is a failure to retry."""
