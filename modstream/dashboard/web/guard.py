"""What protects every response and request: headers, known host names, and forms of this site.

Nothing is loaded from elsewhere, and no script or style stands in a page, so that text which a
client of the stream has chosen cannot act.
"""

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modstream.dashboard.web.errors import AddressUnknown, CrossSiteRequest, PageError

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    # With no-referrer, browsers would send `Origin: null` with forms.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
MAX_FORM_BYTES = 16 * 1024


class Guard:
    """An ASGI application before another one: checks the host, and adds the security headers."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        """Answer requests to these host names, without port; to any if there are none."""
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *SECURITY_HEADERS]
            await send(message)

        host = Headers(scope=scope).get("host", "") if scope["type"] == "http" else ""
        if scope["type"] == "http" and self._hosts and host_name(host) not in self._hosts:
            refusal = AddressUnknown(host)
            response = PlainTextResponse(f"{refusal}\n", refusal.status)
            await response(scope, receive, send_guarded)
            return
        await self._app(scope, receive, send_guarded)


def allowed_hosts(host: str, origin: str) -> frozenset[str]:
    """Return the names by which a dashboard may be called that listens on `host`.

    A page of another site can reach a loopback address through a DNS name of its own; then the
    name is not one of these. Empty for any: the names of a wildcard address are not known.
    """
    names = {urlsplit(origin).netloc.rpartition("@")[2]} if origin else set()
    if _is_wildcard(host):
        return frozenset(map(host_name, names))
    names |= LOOPBACK_NAMES | {f"[{host}]" if ":" in host else host}
    return frozenset(map(host_name, names))


def host_name(host: str) -> str:
    """Return the name in a Host header, in lower case and without the port."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()


def check_origin(request: Request, origin: str) -> None:
    """Check that a form was sent by a page of this dashboard.

    Args:
        request: the POST.
        origin: the public origin in the settings, or an empty text.

    Raises:
        CrossSiteRequest: it was not.
    """
    sent = request.headers.get("origin", "")
    own = {f"{request.url.scheme}://{request.headers.get('host', '')}"}
    if origin:
        own.add(origin.rstrip("/"))
    if sent not in own:
        raise CrossSiteRequest("the form does not come from a page of this dashboard")


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form; of repeated ones, the last.

    Raises:
        PageError: it is too large or not one that this dashboard sends.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise PageError("the body is not a form of this dashboard")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise PageError(f"the form has more than {MAX_FORM_BYTES:,} bytes")
    return dict(_fields(body.decode("utf-8", "replace")))


def _fields(text: str) -> Iterable[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise PageError("the form has too many fields") from None


def _is_wildcard(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return not host
