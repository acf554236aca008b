"""The state row of a partition: how far its inputs were read, event time, and counters."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Annotated

from modstream.processors.join.entry import either
from modstream.processors.join.label_stats import LabelStats


@dataclass(slots=True)
class InputProgress:
    """The progress of one input topic: the next offset to read, and the newest event time."""

    position: int | None = None
    max_event_time: Annotated[int | None, either("max_event_time", "newest")] = None

    def note_event_time(self, event_time: int, latest: int) -> None:
        """Update the newest event time, capped near the time of the record, at `latest`.

        Without the cap, one sender with a wrong clock or unit would expire the entries of all.
        """
        capped = min(event_time, latest)
        newest = self.max_event_time
        self.max_event_time = capped if newest is None else max(capped, newest)


@dataclass(slots=True)
class PartitionState:
    """A partition's state row: its inputs by topic, its watermark, its counters since creation.

    `table_id` names the changelog that the row belongs to; rows of earlier versions have none.
    """

    inputs: dict[str, InputProgress] = field(default_factory=dict)
    watermark: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    label_stats: Annotated[LabelStats, either("label_stats", "figures")] = field(
        default_factory=LabelStats
    )
    table_id: str = ""

    @property
    def now(self) -> int:
        """The newest event time of all inputs, or the watermark if idle time has advanced it."""
        times = [one.max_event_time for one in self.inputs.values()]
        return max(self.watermark, *(time for time in times if time is not None), 0)

    def advance_watermark(
        self, finished_inputs: Collection[str], idle_ms: int, out_of_orderness: int
    ) -> None:
        """Set the watermark to that of the slower input; finished inputs are ignored.

        This is Flink's rule for several inputs and idle ones:
        https://nightlies.apache.org/flink/flink-docs-stable/docs/dev/datastream/event-time/generating_watermarks/
        """
        inputs = self.inputs
        active = [progress for topic, progress in inputs.items() if topic not in finished_inputs]
        seen = [p.max_event_time for p in inputs.values() if p.max_event_time is not None]
        times = [p.max_event_time for p in active if p.max_event_time is not None]
        if not seen or len(times) < len(active):
            return
        if not active:
            self.watermark += idle_ms
        newest = min(times, default=max(seen))
        self.watermark = max(self.watermark, newest - out_of_orderness)

    def is_ahead(self, topic: str, out_of_orderness: int) -> bool:
        """Return whether an input's event time leads by more than the out-of-orderness."""
        inputs = self.inputs
        own = inputs[topic].max_event_time
        others = [progress.max_event_time for name, progress in inputs.items() if name != topic]
        if own is None:
            return False
        return any(time is None or own > time + out_of_orderness for time in others)
