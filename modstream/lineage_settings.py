"""The settings of lineage events; this module imports no other of modstream."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class LineageSettings:
    """Whether OpenLineage events are sent, and where."""

    enabled: bool = False
    """Whether training, publications, promotions and rollbacks send OpenLineage events. Needs the
    extra `lineage`."""
    namespace: str = "modstream"
    """The namespace of jobs and of models."""
    transport: dict[str, Any] = field(default_factory=dict)
    """A transport of the OpenLineage client and its options, such as `{"type": "file",
    "log_file_path": "lineage.jsonl"}` or `{"type": "http", "url": "..."}`. With
    `{"type": "kafka", "topic": "..."}` and no `config`, the Kafka of the settings is used. Empty:
    what the client's own variables and files say (`OPENLINEAGE_URL`, `openlineage.yml`)."""
    schemas_url: str = "urn:modstream:schemas"
    """Where consumers find the file `lineage-facets.json` of the folder `schemas`."""
