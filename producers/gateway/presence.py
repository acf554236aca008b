"""Whether streams have workers, looked up beside the requests."""

from collections.abc import Callable, Mapping
from threading import Event

from modstream.broker.errors import BrokerError
from modstream.producers.gateway.errors import NotServing

CountMembers = Callable[[str], int]
"""Returns the number of members of a consumer group that have partitions."""


class WorkerPresence:
    """The number of workers of each stream, as of the last look.

    A thread looks; other threads read.
    """

    def __init__(self, groups: Mapping[str, str], count_members: CountMembers) -> None:
        """Prepare; `groups` has the consumer group of the workers by stream."""
        self._groups = groups
        self._count_members = count_members
        self._workers: dict[str, int] = {}
        self._error: BrokerError | None = None

    def look(self) -> None:
        """Look once for the workers of all streams."""
        try:
            for stream, group in self._groups.items():
                self._workers[stream] = self._count_members(group)
            self._error = None
        except BrokerError as error:
            self._error = error

    def watch(self, stop: Event, interval: float) -> None:
        """Look every `interval` seconds until `stop` is set."""
        while not stop.wait(interval):
            self.look()

    def problem(self, stream: str) -> str | None:
        """Return the reason why a stream is not answered, or None."""
        if self._error is not None:
            return f"Kafka does not respond: {self._error}"
        if self._workers.get(stream):
            return None
        return (
            f"no worker answers the stream {stream}: none runs, or it waits for a model to be"
            " published"
        )

    def require(self, stream: str) -> None:
        """Check that a stream has workers.

        Raises:
            NotServing: it has none, or Kafka does not respond.
        """
        if (problem := self.problem(stream)) is not None:
            raise NotServing(problem)
