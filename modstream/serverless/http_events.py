"""HTTP requests as API Gateway and function URLs hand them over, and the responses they expect.

Read are the payloads of HTTP APIs and function URLs (version 2.0), and those of REST APIs and of
load balancers (version 1.0). Sources:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
and https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html.
"""

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import unquote
from uuid import uuid4

from modstream.broker.errors import DecodeError, NotJson
from modstream.broker.wire.identifiers import usable_id
from modstream.broker.wire.records import Record
from modstream.errors import UnknownEvent
from modstream.serverless.answers import Answer, Asked

MAX_RESPONSE_BYTES = 6_000_000
"""Lambda takes 6 MB of a response (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)."""
INFER_PATH = re.compile(r"/v2/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?/infer/?$")
LIVE_PATH = re.compile(r"/v2/health/live/?$")
READY_PATH = re.compile(r"/v2/health/ready/?$|/v2/models/[^/]+(?:/versions/[^/]+)?/ready/?$")
JSON_TYPE = "application/json"
RETRY_AFTER_SECONDS = 1
STATUS: Mapping[str, int] = MappingProxyType(
    {
        "unknown_model": 404,
        "too_large": 413,
        "answer_too_large": 413,
        "no_output": 422,
        "internal_error": 500,
        "model_unavailable": 503,
        "model_loading": 503,
        "deadline_exceeded": 504,
    }
)
"""The status of each error that is not 400: the caller's mistake."""


class HttpRequest(NamedTuple):
    """An HTTP request; the names of its headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    request_id: str
    fault: DecodeError | None = None

    @property
    def is_about_readiness(self) -> bool:
        """Whether the request asks if the version can predict."""
        return self.method in {"GET", "HEAD"} and READY_PATH.search(self.path) is not None

    @property
    def content_type(self) -> str:
        """The media type of the body, without parameters; empty if it is not given."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def asked(self) -> Asked:
        """Return the prediction request that the body is."""
        found = INFER_PATH.search(self.path)
        model, version = (None, None) if found is None else found.group("model", "version")
        headers = tuple(
            (name, value.encode(errors="replace")) for name, value in self.headers.items()
        )
        record = Record("http", 0, 0, None, self.body, headers)
        return Asked(
            record,
            self.request_id,
            self.fault,
            None if model is None else unquote(model),
            int(version) if version is not None and version.isdecimal() else version,
        )


def read_http_event(event: Mapping[str, Any]) -> HttpRequest:
    """Read an HTTP request.

    Raises:
        UnknownEvent: a part of the event does not have its documented form.
    """
    try:
        return _read(event)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise UnknownEvent("an HTTP event", reason) from None


def _read(event: Mapping[str, Any]) -> HttpRequest:
    context = event.get("requestContext") or {}
    if event.get("version") == "2.0":
        method, path = str(context["http"]["method"]), str(event["rawPath"])
    else:
        method, path = str(event["httpMethod"]), str(event["path"])
    headers = {
        str(name).lower(): str(value) for name, value in (event.get("headers") or {}).items()
    }
    for name, values in (event.get("multiValueHeaders") or {}).items():
        headers.setdefault(str(name).lower(), ", ".join(map(str, values)))
    body, fault = _body(event.get("body"), is_base64=bool(event.get("isBase64Encoded")))
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        fault = NotJson(f"the body is encoded as {encoding[:40]}: send it as it is")
    request_id = usable_id(str(context.get("requestId") or uuid4()))
    return HttpRequest(method.upper(), path, headers, body, request_id, fault)


def _body(text: str | None, *, is_base64: bool) -> tuple[bytes, DecodeError | None]:
    if text is None:
        return b"", NotJson("there is no body")
    if not is_base64:
        return str(text).encode(errors="replace"), None
    try:
        return b64decode(text, validate=True), None
    except ValueError:
        return b"", NotJson("the body is marked as base64, and is none")


def refuse_route(request: HttpRequest) -> dict[str, Any] | None:
    """Return the response to a request that is none for a prediction; None if it is one."""
    if request.method == "POST":
        return None
    if request.method in {"GET", "HEAD"} and LIVE_PATH.search(request.path):
        return respond(200, {"live": True})
    document = {"error": f"{request.method} is not allowed: use POST", "code": "invalid_call"}
    return respond(405, document, {"allow": "POST"})


def respond_answer(answer: Answer) -> dict[str, Any]:
    """Return the response that carries an answer."""
    return respond(status_of(answer), answer.document(), retry_headers(answer))


def status_of(answer: Answer) -> int:
    """Return the HTTP status of an answer."""
    return 200 if answer.code is None else STATUS.get(answer.code, 400)


def retry_headers(answer: Answer) -> dict[str, str]:
    """Return the header that says when to ask again, if that can help."""
    return {"retry-after": str(RETRY_AFTER_SECONDS)} if answer.is_temporary else {}


def respond(
    status: int, document: object, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return a response in the form that all HTTP events have in common."""
    body = json.dumps(document, separators=(",", ":"))
    if len(body) > MAX_RESPONSE_BYTES:
        status, headers = 413, None
        limit = f"the answer has {len(body):,} bytes, and Lambda takes {MAX_RESPONSE_BYTES:,}"
        reason = {
            "error": f"{limit}: send the rows in several requests",
            "code": "answer_too_large",
        }
        body = json.dumps(reason)
    return {
        "statusCode": status,
        "headers": {"content-type": JSON_TYPE, **(headers or {})},
        "body": body,
        "isBase64Encoded": False,
    }
