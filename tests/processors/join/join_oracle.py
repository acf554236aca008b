"""The late-label join told a second time, as plainly as possible: the oracle of the join's tests.

It never forgets, has no table, no heap and no changelog, and looks at every id whenever time
passes.
"""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Known:
    """All that was ever seen of one id, since it was last dropped."""

    asked_at: int | None = None
    models: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    has_features: bool = False
    features_sent: bool = False
    label: tuple[int, str] | None = None
    label_time: int | None = None
    met: bool = False
    missing: bool = False


class Oracle:
    """Joins the events of one partition; `said` are the messages that should have gone out."""

    def __init__(self, horizon, disorder):
        self.horizon = horizon
        self.disorder = disorder
        self.known = {}
        self.newest = {"predictions": None, "labels": None}
        self.watermark = 0
        self.counts = Counter()
        self.said = []

    def prediction(self, name, model, at, features):
        self.newest["predictions"] = max(at, self.newest["predictions"] or at)
        it = self.known.setdefault(name, Known())
        if model in it.models:
            self.counts["replayed"] += 1
            return
        it.models.append(model)
        it.asked_at = at if it.asked_at is None else it.asked_at
        if not it.missing:
            it.has_features = it.has_features or features
            self._meet(name, it)

    def label(self, name, value, revision, at):
        self.newest["labels"] = max(at, self.newest["labels"] or at)
        it = self.known.setdefault(name, Known())
        if it.label is not None:
            old_revision, old_value = it.label
            news = revision > old_revision or (revision == old_revision and value != old_value)
            if news:
                it.label, it.label_time = (revision, value), at
            self._say(name, "revised" if news else "duplicate", value)
            if news and it.sent and value != old_value:
                self.said.append((name, "corrected", value, tuple(sorted(it.sent)), False))
            return
        it.label, it.label_time = (revision, value), at
        if it.missing:
            self._say(name, "late", value)
        else:
            self._meet(name, it)

    def pass_time(self, finished):
        waited_for = [time for topic, time in self.newest.items() if topic not in finished]
        seen = [time for time in self.newest.values() if time is not None]
        if seen and None not in waited_for:
            reached = min(waited_for) if waited_for else max(seen)
            self.watermark = max(self.watermark, reached - self.disorder)
        for name, it in list(self.known.items()):
            self._age(name, it)

    def waiting_labels(self):
        return sum(
            it.label is not None and not it.met and not it.missing for it in self.known.values()
        )

    def _meet(self, name, it):
        going = [model for model in it.models if model not in it.sent]
        if it.label is None or not going:
            return
        if not it.met:
            self.counts["joined"] += 1
        features = it.has_features and not it.features_sent
        it.met, it.sent, it.features_sent = True, it.sent + going, it.features_sent or features
        self.said.append((name, "joined", it.label[1], tuple(sorted(going)), features))

    def _age(self, name, it):
        over = self.watermark - self.horizon
        if it.met:
            if max(it.asked_at, it.label_time) < over:
                del self.known[name]
        elif it.asked_at is None:
            if it.label_time < over:
                self._say(name, "orphan", it.label[1])
                del self.known[name]
        else:
            if it.asked_at < over and not it.missing:
                it.missing = True
                self._say(name, "missing", None)
            if it.asked_at < over - self.horizon:
                del self.known[name]

    def _say(self, name, reason, value):
        self.counts[reason] += 1
        self.said.append((name, reason, value, (), False))
