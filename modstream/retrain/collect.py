"""Turns feedback records into a labelled dataset in the order of event time. Pure."""

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Feedback
from modstream.broker.wire.features import FeatureRow, JsonScalar
from modstream.broker.wire.records import Record
from modstream.models.evaluation.metrics import PredictedValue
from modstream.models.schema.card import ModelCard
from modstream.models.training.dataset import LabelledDataset
from modstream.processors.evaluate.prequential import scorable_output
from modstream.processors.guard.hard_rules import validate

BUFFER_FACTOR = 4
"""Ids kept while reading, as a multiple of the rows wanted: partitions are read in turns, so rows
arrive out of order."""


@dataclass(slots=True)
class LabelledExample:
    """The label of one id, its features if known, and what the model predicted when serving."""

    label: JsonScalar
    event_time: int
    features: FeatureRow | None = None
    served: PredictedValue | None = None

    def has_features(self, names: Iterable[str]) -> bool:
        """Return whether the features include these names."""
        return set(names) <= (self.features or {}).keys()


def collect(records: Iterable[Record], card: ModelCard, max_rows: int) -> LabelledDataset:
    """Return the newest `max_rows` labelled rows of a stream that pass the guard's hard rules.

    Several records of one id are merged. A row belongs to another model, and is skipped, if this
    model did not predict it and it lacks this model's features. A record that cannot be decoded
    counts as rejected.
    """
    examples, undecodable = _examples(records, card.name, max_rows)
    names = card.input_schema.names
    own = [one for one in examples if one.served is not None or one.has_features(names)]
    newest = sorted(own, key=lambda one: one.event_time)[-max_rows:]
    rows = [dict(one.features or {}) for one in newest]
    valid = validate(card, rows, [one.label for one in newest])
    rejected = Counter(violation.rule for violation in valid.violations)
    if undecodable:
        rejected["undecodable"] = undecodable
    served = [newest[position].served for position in valid.kept]
    return LabelledDataset(card, valid.batch, valid.labels, served, rejected)


def _examples(
    records: Iterable[Record], model: str, max_rows: int
) -> tuple[list[LabelledExample], int]:
    """Return the examples with features, by arrival, and the number of undecodable records."""
    examples: OrderedDict[str, LabelledExample] = OrderedDict()
    undecodable = 0
    for record in records:
        try:
            _add(examples, decode(Feedback, record.value), model)
        except DecodeError:
            undecodable += 1
        if len(examples) > BUFFER_FACTOR * max_rows:
            examples.popitem(last=False)
    return [one for one in examples.values() if one.features is not None], undecodable


def _add(examples: OrderedDict[str, LabelledExample], feedback: Feedback, model: str) -> None:
    example = examples.setdefault(feedback.id, LabelledExample(feedback.label, feedback.event_time))
    if feedback.features is not None:
        example.features = feedback.features
    for prediction in feedback.predictions:
        output = scorable_output(prediction.outputs)
        if prediction.model == model and output is not None:
            example.served = output[1]
