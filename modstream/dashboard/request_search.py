"""The search for one request, which reads the stream's topics and keeps nothing."""

from dataclasses import dataclass
from shlex import quote
from threading import BoundedSemaphore
from time import monotonic

from modstream.broker.client.connection import Connection
from modstream.broker.errors import BrokerError
from modstream.broker.wire.topics import Topics
from modstream.dashboard.errors import SearchBusy, SearchFailed
from modstream.dashboard.snapshots import RequestView
from modstream.dashboard.texts import cut
from modstream.dashboard.trace_facts import MAX_FACTS, trace_facts
from modstream.errors import IdNotFound
from modstream.models.errors import ModelError
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.models.registry.registry import Registry
from modstream.operations.trace.facts import RequestStory
from modstream.operations.trace.search import RequestSearch, SearchScope
from modstream.registry.card_lookup import card_finder

MAX_SEARCHES = 2
"""Number of searches at a time: each reads topics, which costs the broker and this process."""


class TimeIsUp(Exception):
    """The time limit of a search has been reached."""


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """Ends a search at a time of the monotonic clock: it is called as the search proceeds."""

    deadline: float

    def __call__(self, _topic: str, _count: int, _total: int) -> None:
        """Raise TimeIsUp if the time is up."""
        if monotonic() > self.deadline:
            raise TimeIsUp


class RequestFinder:
    """Searches requests, at most `MAX_SEARCHES` at a time; safe for several threads."""

    def __init__(self, connection: Connection, topics: Topics, registry: Registry) -> None:
        self._connection = connection
        self._topics = topics
        self._registry = registry
        self._free = BoundedSemaphore(MAX_SEARCHES)

    def find(
        self, request_id: str, key: str | None, timeout: float, *, with_values: bool
    ) -> RequestView:
        """Return what became of a request, by its id or its `topic:partition:offset`.

        The search ends after about `timeout` seconds: the limit is checked several times a second.

        Raises:
            SearchBusy: as many searches as are allowed run already.
            SearchFailed: Kafka or the registry does not respond.
        """
        if not self._free.acquire(blocking=False):
            raise SearchBusy(MAX_SEARCHES)
        start = monotonic()
        try:
            return self._find(request_id, key, start, timeout, with_values=with_values)
        except (BrokerError, ModelError) as error:
            raise SearchFailed(error) from error
        finally:
            self._free.release()

    def _find(
        self, request_id: str, key: str | None, start: float, timeout: float, *, with_values: bool
    ) -> RequestView:
        versions = VersionClasses(card_finder(self._registry))
        limit = TimeLimit(start + timeout)
        search = RequestSearch(self._connection, self._topics, limit, versions)
        story, remark, is_complete = None, "", True
        try:
            story = search.find_story(request_id, SearchScope(key))
        except IdNotFound:
            remark = "no record has this id; if the request has another key than its id, name it"
        except TimeIsUp:
            is_complete = False
            command = f"modstream trace {quote(cut(request_id))} {quote(self._topics.stream)}"
            remark = f"the search ended after {timeout:g} s; it may take longer: {command}"
        return request_view(
            story, request_id, remark, is_complete, monotonic() - start, with_values=with_values
        )


def request_view(
    story: RequestStory | None,
    request_id: str,
    remark: str,
    is_complete: bool,  # noqa: FBT001
    seconds: float,
    *,
    with_values: bool,
) -> RequestView:
    """Return the view of a search, whose story is None if it has found nothing."""
    facts = [] if story is None else trace_facts(story, with_values=with_values)
    return RequestView(
        id=cut(request_id, 300),
        is_found=story is not None,
        is_complete=is_complete,
        label_status="" if story is None else story.label_status,
        facts=tuple(facts[:MAX_FACTS]),
        left_out=max(0, len(facts) - MAX_FACTS),
        remark=cut(remark, 500),
        seconds=round(seconds, 3),
    )
