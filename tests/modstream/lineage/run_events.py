"""What a RunEvent must be, by version 2-0-2 of OpenLineage's specification.

Source: https://openlineage.io/spec/2-0-2/OpenLineage.json, whose rules about RunEvents these are.
"""

import json
from pathlib import Path

from jsonschema import Draft202012Validator, FormatChecker

FACETS = json.loads((Path(__file__).parents[3] / "schemas" / "lineage-facets.json").read_text())
URI = {"type": "string", "pattern": "^[a-z][a-z0-9+.-]*:[^ ]+$"}
TEXT = {"type": "string"}
FACET = {
    "type": "object",
    "properties": {"_producer": URI, "_schemaURL": URI},
    "required": ["_producer", "_schemaURL"],
}
FACETS_BY_NAME = {"type": "object", "additionalProperties": FACET}


def dataset(*facets):
    return {
        "type": "object",
        "properties": {"namespace": TEXT, "name": TEXT} | dict.fromkeys(facets, FACETS_BY_NAME),
        "required": ["namespace", "name"],
    }


RUN_EVENT = {
    "type": "object",
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "eventTime": {
            "type": "string",
            "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$",
        },
        "producer": URI,
        "schemaURL": URI,
        "run": {
            "type": "object",
            "properties": {
                "runId": {"type": "string", "format": "uuid"},
                "facets": FACETS_BY_NAME,
            },
            "required": ["runId"],
        },
        "job": dataset("facets"),
        "inputs": {"type": "array", "items": dataset("facets", "inputFacets")},
        "outputs": {"type": "array", "items": dataset("facets", "outputFacets")},
    },
    "required": ["eventTime", "producer", "schemaURL", "run", "job"],
}
VALIDATOR = Draft202012Validator(RUN_EVENT, format_checker=FormatChecker())


def check(event):
    """Check an event, and each facet of our own by the schema that it names."""
    VALIDATOR.validate(event)
    datasets = [*event.get("inputs", ()), *event.get("outputs", ())]
    for holder in (event["run"], event["job"], *datasets):
        for facets in ("facets", "inputFacets", "outputFacets"):
            for name, facet in holder.get(facets, {}).items():
                if name.startswith("modstream"):
                    part = facet["_schemaURL"].rpartition("lineage-facets.json#/$defs/")[2]
                    schema = {"$defs": FACETS["$defs"], "$ref": f"#/$defs/{part}"}
                    Draft202012Validator(schema).validate(facet)
