"""A second, simple implementation of the late-label join: the oracle of the join's tests.

The oracle has no table, heap or changelog. Whenever time advances, entry checks every id.
"""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class OracleEntry:
    """Everything seen of one id since entry was last dropped."""

    predicted_at: int | None = None
    models: list[str] = field(default_factory=list)
    joined_models: list[str] = field(default_factory=list)
    has_features: bool = False
    features_sent: bool = False
    label: tuple[int, str] | None = None
    label_due_from: int | None = None
    is_joined: bool = False
    is_missing: bool = False
    refused_at: int | None = None


class Oracle:
    """Joins the events of one partition; `messages` are those that the join must publish."""

    def __init__(self, horizon, out_of_orderness):
        self.horizon = horizon
        self.out_of_orderness = out_of_orderness
        self.entries = {}
        self.max_event_times = {"predictions": None, "labels": None}
        self.watermark = 0
        self.counts = Counter()
        self.messages = []

    def prediction(self, entry_id, model, at, features):
        self.max_event_times["predictions"] = max(at, self.max_event_times["predictions"] or at)
        entry = self.entries.setdefault(entry_id, OracleEntry())
        if model in entry.models:
            self.counts["replayed"] += 1
            return
        entry.refused_at = None
        entry.models.append(model)
        entry.predicted_at = at if entry.predicted_at is None else entry.predicted_at
        if not entry.is_missing:
            entry.has_features = entry.has_features or features
            self._join(entry_id, entry)

    def error_response(self, entry_id, timestamp):
        entry = self.entries.setdefault(entry_id, OracleEntry())
        if not entry.models and entry.refused_at is None:
            newest = self.max_event_times["predictions"]
            entry.refused_at = timestamp if newest is None else newest

    def tell(self):
        """Tell the labels that wait for a request with an error response only."""
        for entry_id, entry in self.entries.items():
            if entry.refused_at is not None and entry.label is not None:
                self._tell(entry_id, entry)

    def label(self, entry_id, value, revision, at):
        self.max_event_times["labels"] = max(at, self.max_event_times["labels"] or at)
        entry = self.entries.setdefault(entry_id, OracleEntry())
        seen = [time for time in self.max_event_times.values() if time is not None]
        due_from = max(self.watermark, *seen)
        if entry.label is not None:
            old_revision, old_value = entry.label
            is_revision = revision > old_revision or (
                revision == old_revision and value != old_value
            )
            if is_revision:
                entry.label, entry.label_due_from = (revision, value), due_from
            self._emit(entry_id, "revised" if is_revision else "duplicate", value)
            if is_revision and entry.joined_models and value != old_value:
                self.messages.append(
                    (entry_id, "corrected", value, tuple(sorted(entry.joined_models)), False)
                )
            return
        entry.label, entry.label_due_from = (revision, value), due_from
        if entry.is_missing:
            self._emit(entry_id, "late", value)
        else:
            self._join(entry_id, entry)

    def advance_time(self, finished_inputs):
        active = [
            time for topic, time in self.max_event_times.items() if topic not in finished_inputs
        ]
        seen = [time for time in self.max_event_times.values() if time is not None]
        if seen and None not in active:
            newest = min(active) if active else max(seen)
            self.watermark = max(self.watermark, newest - self.out_of_orderness)
        for entry_id, entry in list(self.entries.items()):
            self._expire(entry_id, entry)

    def waiting_labels(self):
        return sum(
            entry.label is not None and not entry.is_joined and not entry.is_missing
            for entry in self.entries.values()
        )

    def _join(self, entry_id, entry):
        joining = [model for model in entry.models if model not in entry.joined_models]
        if entry.label is None or not joining:
            return
        if not entry.is_joined:
            self.counts["joined"] += 1
        features = entry.has_features and not entry.features_sent
        entry.is_joined = True
        entry.joined_models = entry.joined_models + joining
        entry.features_sent = entry.features_sent or features
        self.messages.append((entry_id, "joined", entry.label[1], tuple(sorted(joining)), features))

    def _expire(self, entry_id, entry):
        expired_before = self.watermark - self.horizon
        if entry.is_joined:
            if max(entry.predicted_at, entry.label_due_from) < expired_before:
                del self.entries[entry_id]
        elif entry.refused_at is not None:
            if entry.refused_at < expired_before - self.horizon:
                if entry.label is not None:
                    self._tell(entry_id, entry)
                del self.entries[entry_id]
        elif entry.predicted_at is None:
            if entry.label_due_from < expired_before:
                self._emit(entry_id, "orphan", entry.label[1])
                del self.entries[entry_id]
        else:
            if entry.predicted_at < expired_before and not entry.is_missing:
                entry.is_missing = True
                self._emit(entry_id, "missing", None)
            if entry.predicted_at < expired_before - self.horizon:
                del self.entries[entry_id]

    def _tell(self, entry_id, entry):
        self.counts["unlabellable"] += 1
        self.messages.append((entry_id, "refused", entry.label[1], (), False))
        entry.label = entry.label_due_from = None

    def _emit(self, entry_id, reason, value):
        self.counts[reason] += 1
        self.messages.append((entry_id, reason, value, (), False))
