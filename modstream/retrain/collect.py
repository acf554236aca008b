"""Feedback records as labelled rows in the order of event time. Pure."""

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Feedback
from modstream.broker.wire.features import Row, Scalar
from modstream.broker.wire.records import Record
from modstream.models.evaluation.metrics import Answer
from modstream.models.schema.card import ModelCard
from modstream.models.training.dataset import Labelled
from modstream.processors.evaluate.prequential import scored_of
from modstream.processors.guard.hard_rules import guard


@dataclass(slots=True)
class Example:
    """What is known of one id: the label, features once they came, and what the model said."""

    label: Scalar
    event_time: int
    features: Row | None = None
    served: Answer | None = None

    def has(self, names: Iterable[str]) -> bool:
        """Whether there are features of these names."""
        return set(names) <= (self.features or {}).keys()


def collect(records: Iterable[Record], card: ModelCard, most: int) -> Labelled:
    """The newest `most` labelled rows of a stream, as far as the guard lets them pass.

    Feedback of one id that came in several records is put together. Rows that the model did not
    answer and that lack its features were meant for another model. A record that cannot be read
    counts as refused, too.
    """
    examples, illegible = _examples(records, card.name, most)
    ours = [one for one in examples if one.served is not None or one.has(card.input_schema.names)]
    newest = sorted(ours, key=lambda one: one.event_time)[-most:]
    rows = [dict(one.features or {}) for one in newest]
    passed = guard(card, rows, [one.label for one in newest])
    refused = Counter(offence.rule for offence in passed.offences)
    if illegible:
        refused["illegible"] = illegible
    served = [newest[position].served for position in passed.kept]
    return Labelled(card, passed.batch, passed.labels, served, refused)


def _examples(records: Iterable[Record], model: str, most: int) -> tuple[list[Example], int]:
    """The examples with features, in the order in which they came; and how much was illegible."""
    found: OrderedDict[str, Example] = OrderedDict()
    illegible = 0
    for record in records:
        try:
            _add(found, decode(Feedback, record.value), model)
        except DecodeError:
            illegible += 1
        # Partitions are read in turns: what came much earlier is older than what will be used.
        if len(found) > 4 * most:
            found.popitem(last=False)
    return [one for one in found.values() if one.features is not None], illegible


def _add(found: OrderedDict[str, Example], feedback: Feedback, model: str) -> None:
    example = found.setdefault(feedback.id, Example(feedback.label, feedback.event_time))
    if feedback.features is not None:
        example.features = feedback.features
    for scored in feedback.predictions:
        told = scored_of(scored.outputs)
        if scored.model == model and told is not None:
            example.served = told[1]
