"""The page of the gateway's HTTP API, from its OpenAPI document."""

from collections.abc import Iterator, Mapping
from typing import Any

from modstream import __version__
from modstream.producers.gateway.http.openapi import REFUSALS, document
from website.json_schema import fields_table
from website.markdown import cell, code, table

HEAD = """\
# HTTP API

Generated from the OpenAPI document that a gateway returns at `/openapi.json`.
[The gateway](gateway.md) describes how the calls work together, and
[its access rules](gateway-access.md) which calls need a key.

## Errors of every call

"""
REFERENCE = "#/components/{}/"


def http_page() -> str:
    """Return the page."""
    api = document(__version__)
    operations = (
        _operation(api, method.upper(), path, operation)
        for path, methods in sorted(api["paths"].items())
        for method, operation in methods.items()
    )
    errors = table(("status", "meaning"), REFUSALS.items())
    return HEAD + errors + "".join(operations) + "\n## Bodies\n" + "".join(_schemas(api))


def _operation(api: Mapping[str, Any], method: str, path: str, found: Mapping[str, Any]) -> str:
    parameters = table(("parameter", "in", "meaning"), _parameters(api, found))
    body = found.get("requestBody", {}).get("content", {}).get("application/json", {})
    needed = f"Body: {_link(body['schema'])}.\n\n" if body else ""
    answers = table(("status", "body", "meaning"), _responses(found))
    return f"\n## {method} {path}\n\n{found['summary']}.\n\n{parameters}\n{needed}{answers}"


def _parameters(api: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for reference in found["parameters"]:
        name = reference["$ref"].removeprefix(REFERENCE.format("parameters"))
        one = api["components"]["parameters"][name]
        yield code(one["name"]), one["in"], cell(one.get("description", ""))


def _responses(found: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for status, response in sorted(found["responses"].items()):
        if REFUSALS.get(status) == response["description"]:
            continue  # it is in the table for all calls
        (content,) = response["content"].items()
        kind, media = content
        shown = _link(media["schema"]) if "$ref" in media["schema"] else code(kind)
        yield status, shown, cell(response["description"])


def _link(schema: Mapping[str, Any]) -> str:
    name = schema["$ref"].removeprefix(REFERENCE.format("schemas"))
    return f"[{name}](#body-{name.lower()})"


def _schemas(api: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in api["components"]["schemas"].items():
        yield f"\n(body-{name.lower()})=\n### {name}\n\n{fields_table(schema)}"
