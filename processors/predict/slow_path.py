"""The ordinary way of requests: every form that the contract allows, refused precisely."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from modstream.broker.wire.codec import PREDICTION, encode
from modstream.broker.wire.contracts import Prediction
from modstream.broker.wire.record_batch import marks_of
from modstream.broker.wire.records import Outgoing
from modstream.broker.wire.topics import Header, Topics
from modstream.models.errors import PredictError
from modstream.models.runtimes.runtime import Outputs, answered
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Batch
from modstream.processors.errors import NoAnswer, Refusal
from modstream.processors.predict.batching import Ask, Share, assemble, key_of
from modstream.processors.predict.model_resolver import Loaded, PredictSettings
from modstream.processors.predict.outputs import as_tensors, by_name
from modstream.processors.predict.responses import refused, source


class Ordinary:
    """Answers what one model is asked: with predictions, or with errors that say why not."""

    def __init__(self, topics: Topics, settings: PredictSettings) -> None:
        self._topic = topics.predictions
        self._settings = settings

    def answer(
        self, model: str, found: Loaded | Refusal, asks: Sequence[Ask]
    ) -> Iterator[tuple[Ask, Outgoing]]:
        """Each ask's answer, by the version that was found or with why none was."""
        if isinstance(found, Refusal):
            yield from self._refuse(model, ((ask, found) for ask in asks))
            return
        assembled = assemble(found.card.input_schema, asks)
        yield from self._refuse(model, assembled.refused)
        if assembled.batch is not None:
            yield from self._predict(found, assembled.batch, assembled.shares)

    def _predict(
        self, loaded: Loaded, batch: Batch, shares: Sequence[Share]
    ) -> Iterator[tuple[Ask, Outgoing]]:
        """Predict all shares at once; when the runtime fails, halve until the bad one is alone."""
        card = loaded.card
        try:
            scores = loaded.runtime.predict(batch)
        except PredictError as error:
            if len(shares) == 1:
                refusal = NoAnswer(card.name, card.version, str(error))
                yield from self._refuse(card.name, [(shares[0].ask, refusal)])
                return
            half = len(shares) // 2
            yield from self._predict(loaded, *part(batch, shares[:half]))
            yield from self._predict(loaded, *part(batch, shares[half:]))
            return
        finite = answered(scores, card.task)
        rows = batch.rows() if self._settings.record_features else None
        tail = f"{card.name}/{card.version}".encode()
        for share in shares:
            ask, start, stop = share
            if finite[start:stop].all():
                features = rows[start] if rows and ask.number == 0 and stop - start == 1 else None
                yield ask, self._prediction(ask, card, scores[start:stop], features, tail)
            else:
                refusal = NoAnswer(card.name, card.version, "the output is not finite")
                yield from self._refuse(card.name, [(ask, refusal)])

    def _prediction(
        self,
        ask: Ask,
        card: ModelCard,
        scores: Outputs,
        features: dict[str, Any] | None,
        tail: bytes,
    ) -> Outgoing:
        record, request = ask.record, ask.request
        outputs: Any
        if request.inputs is not None:
            outputs = as_tensors(card, scores)
        elif isinstance(request.features, dict):
            outputs = by_name(card, scores[0])
        else:
            outputs = tuple(by_name(card, score) for score in scores)
        answer = Prediction(
            id=request.id,
            model=card.name,
            version=card.version,
            outputs=outputs,
            features=features,
            event_time=request.event_time,
            source=source(record),
        )
        headers = (
            (Header.KIND, PREDICTION),
            (Header.MODEL, tail),
            *marks_of(record.headers).passed,
        )
        return Outgoing(self._topic, key_of(record, request.id), encode(answer), headers)

    def _refuse(
        self, model: str, asks: Iterable[tuple[Ask, Refusal]]
    ) -> Iterator[tuple[Ask, Outgoing]]:
        for ask, refusal in asks:
            yield ask, refused(self._topic, ask.record, ask.request.id, refusal, model)


def part(batch: Batch, shares: Sequence[Share]) -> tuple[Batch, list[Share]]:
    """The rows of some shares alone, and the shares moved to them."""
    rows = [row for share in shares for row in range(share.start, share.stop)]
    moved, start = [], 0
    for share in shares:
        stop = start + share.stop - share.start
        moved.append(Share(share.ask, start, stop))
        start = stop
    return batch.take(rows), moved
