"""JSON Schemas of the bodies that the gateway takes and gives, for its OpenAPI document."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from modstream.broker.wire.bounds import MAX_EVENT_TIME, MAX_NAME_LENGTH, MIN_EVENT_TIME
from modstream.broker.wire.identifiers import MAX_ID_LENGTH

Schema = Mapping[str, Any]
TEXT = {"type": "string", "minLength": 1, "maxLength": MAX_ID_LENGTH}
TEXT_OR_NULL = {**TEXT, "type": ["string", "null"]}
ANY_OBJECT = {"type": "object"}
OBJECT_OR_NULL = {"type": ["object", "null"]}
SCALAR = {"type": ["boolean", "number", "string", "null"]}
TIME = {"type": "integer", "minimum": MIN_EVENT_TIME, "maximum": MAX_EVENT_TIME}
TIME_OR_NULL = {**TIME, "type": ["integer", "null"]}
TIME_NOTE = "ms since the epoch, UTC"


def _object(required: str, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - any schema
    return {"type": "object", "properties": properties, "required": required.split()}


def _list(items: Schema, **limits: int) -> dict[str, Any]:
    return {"type": "array", "items": items, **limits}


ROW = {"type": "object", "additionalProperties": SCALAR}
TENSOR = _object(
    "name shape datatype",
    name={"type": "string", "maxLength": MAX_NAME_LENGTH},
    shape=_list({"type": "integer", "minimum": 0}),
    datatype={
        "enum": [
            "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
            "FP16", "BF16", "FP32", "FP64", "BYTES",
        ]
    },
    data={"type": "array"},
    parameters=OBJECT_OR_NULL,
)  # fmt: skip
OUTPUT_TENSOR = {**TENSOR, "required": ["name", "shape", "datatype"]}
LABEL = _object(
    "id label",
    id=TEXT,
    key={**TEXT_OR_NULL, "description": "the key of the request, by default its id"},
    row={"type": ["integer", "null"], "minimum": 0, "maximum": 2**31 - 1},
    label={"type": ["boolean", "number", "string"]},
    revision={"type": "integer", "minimum": 0, "maximum": 2**53 - 1},
    event_time={**TIME, "description": f"{TIME_NOTE}; by default now"},
)
READY = _object("ready", ready={"type": "boolean"}, error={"type": "string"})

SCHEMAS: Mapping[str, Schema] = MappingProxyType(
    {
        "Error": _object(
            "error",
            error={"type": "string"},
            code={"type": "string", "description": "for programs"},
            id={"type": "string"},
            ready={"type": "boolean"},
            name={"type": "string"},
        ),
        "RowCall": {
            **_object(
                "features",
                features={"anyOf": [ROW, _list(ROW, minItems=1)]},
                id={**TEXT_OR_NULL, "description": "repeated in the answer; it need not be unique"},
                key={**TEXT_OR_NULL, "description": "joins the request with its label"},
                model=TEXT_OR_NULL,
                version={"anyOf": [{"type": "integer", "minimum": 1}, TEXT_OR_NULL]},
                event_time={**TIME_OR_NULL, "description": TIME_NOTE},
            ),
            "additionalProperties": False,
            "example": {"features": {"x": 1.5}},
        },
        "RowAnswer": _object(
            "id request_id model version outputs",
            id={"type": "string"},
            request_id={"type": "string", "description": "the id that labels name"},
            model={"type": "string"},
            version={"type": "integer"},
            outputs={"anyOf": [ANY_OBJECT, _list(ANY_OBJECT)]},
            steps={"type": "array"},
        ),
        "Labels": {"anyOf": [LABEL, _list(LABEL, minItems=1, maxItems=10_000)]},
        "Accepted": _object("accepted", accepted={"type": "integer"}),
        "Pending": _object(
            "status id request_id ticket",
            status={"const": "pending"},
            id={"type": "string"},
            request_id={"type": "string"},
            ticket={"type": "string"},
        ),
        "StoredPrediction": _object(
            "model key version outputs age_seconds stale",
            model={"type": "string"},
            key={"type": "string"},
            version={"type": "integer"},
            outputs={},
            age_seconds={"type": "number"},
            stale={"type": "boolean", "description": "whether the champion is a later version"},
        ),
        "Answer": {
            "anyOf": [
                {"$ref": "#/components/schemas/RowAnswer"},
                {"$ref": "#/components/schemas/InferAnswer"},
            ]
        },
        "InferCall": _object(
            "inputs",
            id={"type": ["string", "null"]},
            parameters=OBJECT_OR_NULL,
            inputs=_list({"allOf": [TENSOR, {"required": ["data"]}]}, minItems=1),
            outputs={
                "type": ["array", "null"],
                "items": _object("name", name={"type": "string"}, parameters=OBJECT_OR_NULL),
            },
        ),
        "InferAnswer": _object(
            "model_name outputs",
            model_name={"type": "string"},
            model_version={"type": "string"},
            id={"type": "string"},
            parameters=ANY_OBJECT,
            outputs=_list(OUTPUT_TENSOR),
        ),
        "ServerMetadata": _object(
            "name version extensions",
            name={"type": "string"},
            version={"type": "string"},
            extensions=_list({"type": "string"}),
        ),
        "ModelMetadata": _object(
            "name platform",
            name={"type": "string"},
            versions=_list({"type": "string"}),
            platform={"type": "string"},
            inputs=_list(ANY_OBJECT),
            outputs=_list(ANY_OBJECT),
            properties={
                **ANY_OBJECT,
                "description": "optional_inputs names inputs that need not be sent",
            },
        ),
        "ModelConfig": _object(
            "name platform input output",
            name={"type": "string"},
            platform={"type": "string"},
            backend={"type": "string"},
            max_batch_size={"type": "integer"},
            input=_list(ANY_OBJECT),
            output=_list(ANY_OBJECT),
        ),
        "Live": _object("live", live={"type": "boolean"}),
        "Ready": READY,
        "ModelReady": _object("name ready", name={"type": "string"}, ready={"type": "boolean"}),
        "Statistics": _object("model_stats", model_stats=_list(ANY_OBJECT)),
        "IndexCall": {**_object("", ready={"type": "boolean"}), "type": ["object", "null"]},
        "Index": _list(_object("name", name={"type": "string"}, state={"type": "string"})),
    }
)


def _path(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": TEXT, "description": text}


def _header(name: str, text: str, **limits: int | str) -> dict[str, Any]:
    schema = {"type": "string", **limits}
    return {"name": name, "in": "header", "schema": schema, "description": text}


PARAMETERS: Mapping[str, Schema] = MappingProxyType(
    {
        "stream": _path("stream", "A stream that the gateway serves."),
        "model": _path("model", "The name of a published model."),
        "version": _path("version", "A version number or an alias."),
        "key": _path("key", "The key of a precomputed prediction."),
        "ticket": _path("ticket", "The ticket of a request."),
        "Prefer": _header("Prefer", "`wait=N` seconds, or `respond-async` for a ticket at once."),
        "IdempotencyKey": _header(
            "Idempotency-Key",
            "Requests that repeat it are answered alike.",
            pattern=f"^[ -~]{{1,{MAX_ID_LENGTH}}}$",
        ),
        "Key": _header(
            "Modstream-Key",
            "The key that joins the request with its label.",
            maxLength=MAX_ID_LENGTH,
        ),
    }
)
