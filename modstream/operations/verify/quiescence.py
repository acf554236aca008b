"""Whether a stream has come to rest: no open transaction, every request's offset committed."""

from collections.abc import Callable
from threading import Event
from time import monotonic

from modstream.broker.client.admin import Admin
from modstream.broker.wire.records import TopicPartition
from modstream.broker.wire.topics import Topics
from modstream.operations.verify.audit import Standing
from modstream.operations.verify.observer import exits

LOOK_EVERY = 0.1

Ends = dict[TopicPartition, int]


def come_to_rest(admin: Admin, topics: Topics, stop: Event, patience: float) -> Standing:
    """Wait until all that lies in the topics now is decided and committed.

    Where the topics end is looked up once: what other people send meanwhile is not waited for.

    Args:
        admin: the cluster's.
        topics: the stream's.
        stop: ends the waiting early.
        patience: seconds; what is still open then is returned.

    Raises:
        BrokerError: the cluster could not be asked.
    """
    written, asked = admin.ends(exits(topics)), admin.ends([topics.requests])

    def behind(ends: Ends, reached: Ends, of: str) -> tuple[str, ...]:
        return tuple(
            f"{home}: {reached.get(home, 0):,} {of} of {end:,}"
            for home, end in ends.items()
            if reached.get(home, 0) < end
        )

    def look() -> Standing:
        stable = admin.ends(exits(topics), committed=True)
        done = admin.committed(topics.group("worker"), [topics.requests])
        return Standing(behind(written, stable, "stable"), behind(asked, done, "committed"))

    return until_at_rest(look, stop, monotonic() + patience)


def until_at_rest(look: Callable[[], Standing], stop: Event, deadline: float) -> Standing:
    """Look again until nothing is open, the deadline has passed or `stop` is set."""
    found = look()
    while found != Standing() and monotonic() < deadline and not stop.wait(LOOK_EVERY):
        found = look()
    return found
