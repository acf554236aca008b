"""How long an HTTP caller waits: `Prefer: wait=N` and `respond-async` (RFC 7240)."""

import re

from modstream.producers.gateway.calls import Waiting
from modstream.producers.gateway.errors import InvalidCall

WAIT = re.compile(r"wait\s*=\s*\"?(\d{1,9}(?:\.\d{1,6})?)\"?")


def read_waiting(prefer: str, default: float, limit: float, timeout: float | None) -> Waiting:
    """Return how long a caller waits.

    A time that the caller names is its deadline, unless it takes a ticket instead.

    Args:
        prefer: the values of the header `Prefer`, joined by commas; unknown preferences are
            ignored, as RFC 7240 demands.
        default: seconds for a caller that does not name a time.
        limit: the longest time in seconds; longer ones are shortened.
        timeout: the time in seconds that the request itself names, or None.

    Raises:
        InvalidCall: the time is not a number of seconds.
    """
    is_async, wait = False, timeout
    for preference in filter(None, (one.strip() for one in prefer.lower().split(","))):
        name = preference.split(";")[0].strip()
        if name == "respond-async":
            is_async = True
        elif name.startswith("wait") and (found := WAIT.fullmatch(name)):
            wait = float(found[1])
        elif name.split("=")[0].strip() == "wait":
            raise InvalidCall(f"Prefer: {name[:40]} has no number of seconds, such as wait=5")
    if wait is None:
        return Waiting(0.0 if is_async else min(default, limit), is_async=is_async)
    return Waiting(min(wait, limit), is_deadline=not is_async, is_async=is_async)
