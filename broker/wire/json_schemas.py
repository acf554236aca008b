"""JSON Schemas of all messages, for clients in other languages, generated from the contracts.

    python -m modstream.broker.wire.json_schemas schemas

writes one file for each message. `docs/messages.md` describes the messages.
"""

import json
import sys
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from types import MappingProxyType
from typing import Any

from modstream.broker.wire.contracts import (
    Contract,
    ErrorResponse,
    Feedback,
    Label,
    Prediction,
    Quarantined,
    Request,
    Unjoined,
)
from modstream.broker.wire.inference_record import InferenceRecord
from modstream.broker.wire.model_contracts import Metrics, ModelEvent, VersionMarker

DIALECT = "https://json-schema.org/draft/2020-12/schema"
CONTRACTS: Mapping[str, type[Contract]] = MappingProxyType(
    {
        "request": Request,
        "prediction": Prediction,
        "error": ErrorResponse,
        "label": Label,
        "feedback": Feedback,
        "unjoined": Unjoined,
        "quarantined": Quarantined,
        "version-marker": VersionMarker,
        "inference": InferenceRecord,
        "metrics": Metrics,
        "model-event": ModelEvent,
    }
)
"""The contract of each message, by the name of its file."""

Schema = dict[str, Any]


def _complete_request(schema: Schema) -> None:
    """Add what the contract checks in code, and tensors whose data follow the JSON as raw bytes."""
    properties, tensor = schema["properties"], schema["$defs"]["Tensor"]
    raw = deepcopy(tensor)
    raw["description"] = "A tensor whose `data` are raw bytes that follow the JSON."
    del raw["properties"]["data"]
    size = {"type": "integer", "minimum": 0}
    raw["properties"]["parameters"] = {
        "type": "object",
        "properties": {"binary_data_size": size},
        "required": ["binary_data_size"],
    }
    raw["required"] = ["name", "shape", "datatype", "parameters"]
    schema["$defs"]["RawTensor"] = raw
    for field in ("features", "inputs"):
        rows = next(one for one in properties[field]["anyOf"] if one["type"] == "array")
        rows["minItems"] = 1
        if field == "inputs":
            rows["items"] = {"anyOf": [rows["items"], {"$ref": "#/$defs/RawTensor"}]}
    schema["oneOf"] = [
        {"required": [field], "properties": {field: {"not": {"type": "null"}}}}
        for field in ("features", "inputs")
    ]


COMPLETIONS: Mapping[str, Callable[[Schema], None]] = MappingProxyType(
    {"request": _complete_request}
)


def json_schema(name: str) -> Schema:
    """Return the JSON Schema of a message."""
    schema = CONTRACTS[name].model_json_schema()
    if name in COMPLETIONS:
        COMPLETIONS[name](schema)
    for part in (schema, *schema.get("$defs", {}).values()):
        for field in part.get("properties", {}).values():
            field.pop("title", None)
    return {"$schema": DIALECT, **schema}


def schema_files() -> dict[str, str]:
    """Return the text of each schema by the name of its file."""
    return {f"{name}.json": json.dumps(json_schema(name), indent=2) + "\n" for name in CONTRACTS}


def main(folder: str) -> None:
    """Write all schemas to a folder."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, text in schema_files().items():
        Path(folder, name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
