"""The learner's progress in event time, from its records on the metrics topic."""

from collections.abc import Sequence

from modstream.broker.client.connection import Connection
from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.demo.record_follower import RecordFollower


class LearnerProgress(RecordFollower):
    """A background thread that follows one learner's metrics."""

    def __init__(self, connection: Connection, topics: Topics, model: str) -> None:
        super().__init__("learner-progress", connection, [topics.metrics])
        self._model = model
        self._event_time: int | None = None

    def event_time(self) -> int | None:
        """Return the event time (ms) of the newest label learned and published, or None.

        Raises:
            BrokerError: the metrics topic can no longer be read, so progress is unknown.
        """
        self.raise_if_failed()
        return self._event_time

    def read(self, records: Sequence[Record]) -> None:
        """Take the next metrics."""
        for record in records:
            try:
                metrics = decode(Metrics, record.value)
            except DecodeError:
                continue
            if metrics.kind == "learner" and metrics.model == self._model:
                self._event_time = max(self._event_time or 0, metrics.event_time or 0)
