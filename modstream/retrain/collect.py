"""Turns feedback records into a labelled dataset in the order of event time. Pure."""

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from modstream.broker.errors import DecodeError
from modstream.broker.loop.isolation import is_fault
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Feedback
from modstream.broker.wire.features import FeatureRow, JsonScalar
from modstream.broker.wire.identifiers import row_key
from modstream.broker.wire.records import Record
from modstream.models.evaluation.metrics import PredictedValue
from modstream.models.evaluation.version_classes import VersionLabels
from modstream.models.schema.card import ModelCard
from modstream.models.training.dataset import LabelledDataset
from modstream.processors.evaluate.scoring import score
from modstream.processors.guard.hard_rules import validate

BUFFER_FACTOR = 4
"""Rows kept while reading, as a multiple of the rows wanted: partitions are read in turns, so rows
arrive out of order."""
MAX_BUFFER_BYTES = 512 * 1024 * 1024
"""Size of the feedback that the kept rows are from; beyond it the oldest rows are dropped."""


@dataclass(slots=True)
class LabelledExample:
    """The label of one row, its features if known, and what the model predicted when serving.

    `size` is the size of the feedback records of the row, in bytes.
    """

    label: JsonScalar
    event_time: int
    features: FeatureRow | None = None
    served: PredictedValue | None = None
    size: int = 0


@dataclass(slots=True)
class ExampleBuffer:
    """The newest rows of one model by arrival, at most `max_rows` and `MAX_BUFFER_BYTES`.

    Of the features only those of the model's schema are kept.
    """

    card: ModelCard
    max_rows: int
    examples: OrderedDict[str, LabelledExample] = field(default_factory=OrderedDict)
    size: int = 0

    def add(self, feedback: Feedback, size: int) -> None:
        """Add one record of a row, of `size` bytes; several records of one row are merged."""
        found = self.examples.setdefault(
            row_key(feedback.id, feedback.row),
            LabelledExample(feedback.label, feedback.event_time),
        )
        if feedback.revises is not None:
            found.label = feedback.label
        found.size += size
        self.size += size
        if feedback.features is not None:
            names = self.card.input_schema.names
            found.features = {
                name: feedback.features[name] for name in names if name in feedback.features
            }
        labels = VersionLabels.of(self.card)
        for prediction in feedback.predictions:
            if prediction.model == self.card.name:
                pair = score(labels, feedback.label, prediction.outputs)
                found.served = found.served if pair is None else pair.prediction
        while len(self.examples) > self.max_rows or self.size > MAX_BUFFER_BYTES:
            self.size -= self.examples.popitem(last=False)[1].size

    def own(self) -> list[LabelledExample]:
        """Return the rows with features that belong to the model, by arrival."""
        schema = self.card.input_schema
        return [
            one
            for one in self.examples.values()
            if one.features is not None
            and (one.served is not None or schema.is_covered_by(one.features))
        ]


def collect(records: Iterable[Record], card: ModelCard, max_rows: int) -> LabelledDataset:
    """Return the newest `max_rows` labelled rows of a stream that pass the guard's hard rules.

    Several records of one row are merged; a revised label replaces the earlier one. A row belongs
    to another model, and is skipped, if this model did not predict it and it lacks this model's
    features. A record that cannot be decoded counts as rejected.
    """
    buffer, undecodable = ExampleBuffer(card, BUFFER_FACTOR * max_rows), 0
    for record in records:
        try:
            buffer.add(decode(Feedback, record.value), len(record.value or b""))
        except BaseException as error:
            if not (isinstance(error, DecodeError) or is_fault(error)):
                raise
            undecodable += 1
    own = buffer.own()
    newest = sorted(own, key=lambda one: one.event_time)[-max_rows:]
    rows = [dict(one.features or {}) for one in newest]
    valid = validate(card, rows, [one.label for one in newest])
    rejected = Counter(violation.rule for violation in valid.violations)
    if undecodable:
        rejected["undecodable"] = undecodable
    served = [newest[position].served for position in valid.kept]
    return LabelledDataset(card, valid.batch, valid.labels, served, rejected)
