"""The OpenAPI document of the gateway, generated from its schemas and this list of operations.

Beside it, the AsyncAPI document of the topics is served.
"""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from modstream.broker.wire.asyncapi import document as topics_document
from modstream.producers.gateway.http.answers import json_response
from modstream.producers.gateway.http.context import context_of
from modstream.producers.gateway.http.schemas import PARAMETERS, SCHEMAS

TEXT_EVENTS = "text/event-stream"
REFUSALS: Mapping[str, str] = {
    "400": "The call is malformed, or the model refuses the inputs.",
    "401": "The call has no valid key.",
    "403": "The key does not permit this.",
    "404": "There is no such stream, model, version or ticket.",
    "405": "The path does not have this method.",
    "413": "The body, or the answer, is too large.",
    "415": "The content encoding is unknown.",
    "429": "Too many requests wait for their answers; retry later.",
    "503": "No worker answers, or a server does not respond; retry later.",
    "504": "There was no answer in time; Location leads to a later one.",
}
CONFLICT = {"409": "The Idempotency-Key was used for another request."}


def operation(
    summary: str,
    answer: str,
    *,
    body: str | None = None,
    needs_body: bool = True,
    answers: Mapping[str, str] | None = None,
    parameters: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return an operation: its answer with status 200, and further statuses with their schemas."""
    responses: dict[str, Any] = {"200": _response("The answer.", answer)} if answer else {}
    for status, schema in (answers or {}).items():
        responses[status] = _response("Accepted; there is no answer yet.", schema)
    refusals = {**REFUSALS, **(CONFLICT if "IdempotencyKey" in parameters else {})}
    for status, text in refusals.items():
        responses[status] = _response(text, "Error")
    found: dict[str, Any] = {
        "summary": summary,
        "responses": responses,
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in parameters],
    }
    if body is not None:
        content = {"application/json": {"schema": _ref(body)}}
        found["requestBody"] = {"required": needs_body, "content": content}
    return found


def _ref(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _response(text: str, schema: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": _ref(schema)}}}


def _events() -> dict[str, Any]:
    """Return the operation whose answer is a stream of events."""
    found = operation("Wait for an answer as a server-sent event", "", parameters=("ticket",))
    content = {TEXT_EVENTS: {"schema": {"type": "string"}}}
    found["responses"]["200"] = {"description": "Comments, and one event.", "content": content}
    return found


ASKING = ("Prefer", "IdempotencyKey", "Key")
PENDING = {"202": "Pending"}


def paths() -> dict[str, Any]:
    """Return all paths with their operations."""
    model, version = "/v2/models/{model}", "/v2/models/{model}/versions/{version}"
    found: dict[str, Any] = {
        "/v1/streams/{stream}/predict": {
            "post": operation(
                "Ask for the prediction of one row, or of several rows, by name",
                "RowAnswer",
                body="RowCall",
                answers=PENDING,
                parameters=("stream", *ASKING),
            )
        },
        "/v1/streams/{stream}/labels": {
            "post": operation(
                "Send true labels of earlier requests",
                "",
                body="Labels",
                answers={"202": "Accepted"},
                parameters=("stream",),
            )
        },
        "/v1/predictions/{model}/{key}": {
            "get": operation(
                "Look up the newest precomputed prediction of a key",
                "StoredPrediction",
                parameters=("model", "key"),
            )
        },
        "/v2/requests/{ticket}": {
            "get": operation(
                "Get the answer that came after its caller had gone",
                "Answer",
                answers=PENDING,
                parameters=("ticket", "Prefer"),
            )
        },
        "/v2/requests/{ticket}/events": {"get": _events()},
        "/v2": {"get": operation("Describe the server", "ServerMetadata")},
        "/v2/health/live": {"get": operation("Say whether the gateway runs", "Live")},
        "/v2/health/ready": {"get": operation("Say whether requests are answered", "Ready")},
        "/v2/models/stats": {"get": operation("Count the answers of all models", "Statistics")},
        "/v2/repository/index": {
            "post": operation(
                "List the published models", "Index", body="IndexCall", needs_body=False
            )
        },
    }
    found["/v1/streams/{stream}/predict"]["post"]["description"] = (
        "The body may also be the data of a CloudEvent in binary mode, or a structured CloudEvent;"
        " the answer is then a CloudEvent in the same mode."
    )
    for path, names in ((model, ("model",)), (version, ("model", "version"))):
        infer = operation(
            "Ask for an inference", "InferAnswer", body="InferCall", answers=PENDING,
            parameters=(*names, *ASKING),
        )  # fmt: skip
        found[f"{path}/infer"] = {"post": infer}
        found[path] = {"get": operation("Describe a model", "ModelMetadata", parameters=names)}
        ready = operation("Say whether a model answers", "ModelReady", parameters=names)
        found[f"{path}/ready"] = {"get": ready}
        config = operation("Configure Triton's clients", "ModelConfig", parameters=names)
        found[f"{path}/config"] = {"get": config}
        counts = operation("Count the answers of a model", "Statistics", parameters=names)
        found[f"{path}/stats"] = {"get": counts}
    return found


def document(version: str) -> dict[str, Any]:
    """Return the whole document; `version` is that of modstream."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "modstream gateway",
            "version": version,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "Predictions of a stream's workers, and labels for its learner.",
        },
        "paths": paths(),
        "components": {
            "schemas": dict(SCHEMAS),
            "parameters": dict(PARAMETERS),
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{}, {"key": []}, {"bearer": []}],
    }


async def openapi(request: Request) -> Response:
    """Return the OpenAPI document."""
    return json_response(document(context_of(request).version))


async def asyncapi(request: Request) -> Response:
    """Return the AsyncAPI document of the topics of the streams that are served."""
    context = context_of(request)
    return json_response(topics_document(context.version, *context.data.served))
