"""What the pages need, and how they find it in a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from starlette.requests import Request

from modstream.dashboard.state import DashboardState
from modstream.dashboard.web.errors import SignInNeeded
from modstream.dashboard.web.feed import LiveFeed
from modstream.dashboard.web.operators import Operators, Right
from modstream.dashboard.web.rendering import Renderer
from modstream.dashboard.web.sessions import Session, Sessions
from modstream.dashboard_settings import DashboardSettings

COOKIE = "modstream_session"


class ModelActions(Protocol):
    """Promotions and rollbacks; every method may block for seconds."""

    def aliases(self, model: str) -> Mapping[str, int]:
        """Return the version of each alias of a model; empty if there is no such model.

        Raises:
            ActionFailed: the registry does not respond.
        """

    def rollback_target(self, model: str, alias: str) -> int | None:
        """Return the version that a rollback would lead to, None if there is none.

        Raises:
            ActionFailed: the registry does not respond.
        """

    def promote(self, order: "Order", version: int) -> str:
        """Move the alias to a version, and return what was done, as a sentence.

        Raises:
            ActionFailed: it was not done, or its event could not be sent.
        """

    def roll_back(self, order: "Order") -> str:
        """Move the alias back to its previous version, and return what was done.

        Raises:
            ActionFailed: it was not done, or its event could not be sent.
        """


@dataclass(frozen=True, slots=True)
class Order:
    """What a person has confirmed: which alias, where it pointed at then, why, and who."""

    model: str
    alias: str
    expected: int
    reason: str
    user: str


LetterAction = Literal["redrive", "release"]
"""Sends dead letters back to be answered, or quarantined rows to be learned."""


@dataclass(frozen=True, slots=True)
class LetterOrder:
    """What a person has confirmed: the cause or rule of the records to send back, why, and who."""

    action: LetterAction
    cause: str
    reason: str
    user: str


class LetterActions(Protocol):
    """Redrives and releases; every method may block for seconds."""

    def count(self, action: LetterAction, cause: str) -> Mapping[str, int]:
        """Return the number of records with a cause or rule, by state; `due` ones would be sent.

        Raises:
            ActionFailed: Kafka does not respond.
        """

    def send_back(self, order: LetterOrder) -> str:
        """Send the due records back, each once, and return what was done, as a sentence.

        Raises:
            ActionFailed: not all could be sent; a repetition sends the others.
        """


@dataclass(frozen=True, slots=True)
class WebContext:
    """What the pages need; `needs_key` says whether seeing them does.

    `actions` carries out promotions, `letters` redrives, `feed` keeps open pages current.
    """

    stream: str
    settings: DashboardSettings
    needs_key: bool
    state: DashboardState
    actions: ModelActions
    letters: LetterActions
    operators: Operators
    sessions: Sessions
    renderer: Renderer
    feed: LiveFeed

    @property
    def has_secure_cookies(self) -> bool:
        """Whether browsers reach the dashboard over TLS only."""
        return self.settings.origin.startswith("https://")


def context_of(request: Request) -> WebContext:
    """Return the context of the application that a request was sent to."""
    context: WebContext = request.app.state.context
    return context


def session_of(request: Request) -> Session | None:
    """Return the session of the browser, None without a valid one."""
    return context_of(request).sessions.from_cookie(request.cookies.get(COOKIE, ""))


def check_may_see(request: Request) -> None:
    """Check that the browser may see the pages.

    Raises:
        SignInNeeded: pages need a key, and the browser has not sent one, or it has ended.
    """
    context = context_of(request)
    if not context.needs_key:
        return
    session = session_of(request)
    if session is None or not session.is_signed_in:
        raise SignInNeeded("pages of this dashboard need a key")
    if context.operators.known_right_of(session.key_digest) is Right.NONE:
        raise SignInNeeded("the key of this session was revoked or has ended")
