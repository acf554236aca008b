"""A dashboard in the test's own process: views, keys and actions that are stand-ins."""

import asyncio
import re
from dataclasses import dataclass, field

import httpx

from modstream.dashboard.web.app import dashboard_app
from modstream.dashboard.web.context import WebContext
from modstream.dashboard.web.errors import ActionFailed
from modstream.dashboard.web.feed import LiveFeed
from modstream.dashboard.web.operators import Operators
from modstream.dashboard.web.rendering import Renderer
from modstream.dashboard.web.sessions import Sessions
from modstream.dashboard_settings import DashboardSettings
from modstream.processors.redrive.selection import LetterState
from modstream.producers.gateway.security.api_key import create_key
from tests.modstream.dashboard.web.views_of_state import STREAM, StateOfViews

ORIGIN = "http://127.0.0.1"
RENDERER = Renderer(STREAM)
"""Compiles each template once, for all tests."""


class KeyList:
    """The API keys of a test."""

    def __init__(self):
        self.keys = []
        self.failure = None

    def create(self, *scopes, name="alice", expires=None):
        """Add a key, and return its secret."""
        new = create_key(name, scopes, None, expires, 1)
        self.keys.append(new.record)
        return new.secret

    def read(self):
        if self.failure is not None:
            raise self.failure
        return tuple(self.keys)


class Browser:
    """Calls an application in the test's process; keeps cookies, and follows no redirects."""

    def __init__(self, app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url=ORIGIN)
        self.cookies = self._client.cookies

    def get(self, path, **options):
        return asyncio.run(self._client.get(path, **options))

    def post(self, path, **options):
        return asyncio.run(self._client.post(path, **options))


@dataclass
class RecordedActions:
    """Remembers the orders; `failure` is the sentence with which the next one fails."""

    orders: list = field(default_factory=list)
    failure: str = ""
    target: int | None = 11
    alias_versions: dict = field(default_factory=lambda: {"champion": 12, "challenger": 13})

    def aliases(self, model):
        return self.alias_versions

    def rollback_target(self, model, alias):
        return self.target

    def promote(self, order, version):
        return self._take(order, version, "now")

    def roll_back(self, order):
        return self._take(order, self.target, "again")

    def _take(self, order, version, word):
        if self.failure:
            raise ActionFailed(self.failure)
        self.orders.append((order, version))
        return f"{order.alias} of {order.model} is version {version} {word}"


COUNTED_STATES = tuple(state.value for state in LetterState)


@dataclass
class RecordedRedrives:
    """Remembers the orders; `failure` is the sentence with which the next one fails."""

    orders: list = field(default_factory=list)
    failure: str = ""
    due: int = 3

    def count(self, action, cause):
        if cause == "unknown":
            return dict.fromkeys(COUNTED_STATES, 0)
        return dict.fromkeys(COUNTED_STATES, 1) | {"due": self.due}

    def send_back(self, order):
        if self.failure:
            raise ActionFailed(self.failure)
        self.orders.append(order)
        return f"{self.due} sent back, by {order.user}: {order.reason}"


@dataclass
class Dashboard:
    """A dashboard with its stand-ins, and the context that they make."""

    state: StateOfViews
    keys: KeyList
    actions: RecordedActions
    letters: RecordedRedrives
    context: WebContext

    @classmethod
    def of(cls, state, *, needs_key=False, max_live_pages=4, **settings):
        keys, actions, letters = KeyList(), RecordedActions(), RecordedRedrives()
        context = WebContext(
            stream=STREAM,
            settings=DashboardSettings(max_live_pages=max_live_pages, **settings),
            needs_key=needs_key,
            state=state,
            actions=actions,
            letters=letters,
            operators=Operators(keys, STREAM),
            sessions=Sessions(),
            renderer=RENDERER,
            feed=LiveFeed(max_live_pages),
        )
        return cls(state, keys, actions, letters, context)

    def browser(self):
        """Return a client that keeps cookies and does not follow redirects."""
        return Browser(dashboard_app(self.context))

    def signed_in(self, *scopes):
        """Return a client that has signed in with a new key of these scopes."""
        secret = self.keys.create(*scopes)
        self.context.operators.refresh()
        client = self.browser()
        answer = post(client, "/sign-in", csrf_of(client.get("/sign-in")), key=secret)
        assert answer.status_code == 303, answer.text
        return client


def csrf_of(response):
    """Return the token in a page's form."""
    return re.search(r'name="csrf" value="([^"]+)"', response.text)[1]


def post(client, path, csrf, origin=ORIGIN, **fields):
    """Send a form as a browser would."""
    headers = {"Origin": origin} if origin else {}
    return client.post(path, data={"csrf": csrf, **fields}, headers=headers)
