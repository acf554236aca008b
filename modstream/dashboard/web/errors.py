"""Errors of the dashboard's pages; each becomes a page with its status and sentence.

PageError
├── AddressUnknown    the request names a host that is not the dashboard's
├── CrossSiteRequest  a form was sent by another site, or its token is missing or old
├── NoSuchPage        there is nothing at this address
├── NotPermitted      the key of this session does not permit the action
├── ReadOnly          no key permits actions on this dashboard
├── SignInNeeded      the page needs a key
├── SignInRefused     a key is unknown, has ended, or permits nothing here
├── TooManyPages      as many pages are kept current as are allowed
└── ActionFailed      the registry or the broker did not carry out an action
"""


class PageError(Exception):
    """Base class: the request gets a page with the error's sentence."""

    status = 400
    title = "This did not work"


class AddressUnknown(PageError):
    """The request names a host that is not the dashboard's, as after a DNS rebinding."""

    status, title = 421, "Unknown address"

    def __init__(self, host: str) -> None:
        super().__init__(
            f"the dashboard does not answer as {host[:200]!r}; if it is reached by this name, set"
            " dashboard.origin"
        )


class CrossSiteRequest(PageError):
    """A form was sent by another site, or its token is missing or old."""

    status, title = 403, "The form was refused"


class NoSuchPage(PageError):
    """There is nothing at this address."""

    status, title = 404, "Not found"


class NotPermitted(PageError):
    """The key of this session does not permit the action."""

    status, title = 403, "Not permitted"


class ReadOnly(PageError):
    """No key permits actions on this dashboard."""

    status, title = 403, "Read-only"

    def __init__(self, stream: str) -> None:
        super().__init__(
            "no key permits changes here; create one:"
            f" modstream keys create NAME --scope manage:{stream}"
        )


class SignInNeeded(PageError):
    """The page needs a key."""

    status, title = 401, "Sign in"


class SignInRefused(PageError):
    """A key is unknown, has ended, or permits nothing here."""

    status, title = 403, "Sign in"


class TooManyPages(PageError):
    """As many pages are kept current as are allowed."""

    status, title = 503, "Not kept current"

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} pages are kept current already; reload this one by hand")


class ActionFailed(PageError):
    """The registry or the broker did not carry out an action."""

    status, title = 409, "Nothing was changed"
