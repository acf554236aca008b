"""The handler of the request path: polled records in, responses out."""

from collections.abc import Callable, Sequence
from time import time

from modstream.broker.loop.ports import HandlerResult
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.processors.predict.deduplication import Deduplicator
from modstream.processors.predict.engine import InferenceEngine
from modstream.processors.predict.fast_path import FastPath
from modstream.processors.predict.model_resolver import ModelProvider
from modstream.processors.predict.responses import OnRefusal, ResponseWriter, ignore_refusal
from modstream.processors.predict.settings import InferenceSettings
from modstream.processors.predict.state import BatchState, Step
from modstream.processors.predict.steps import (
    Decode,
    Deduplicate,
    Infer,
    InferFast,
    MarkVersions,
    RefuseExpired,
    RefuseUndecodable,
)
from modstream.processors.predict.version_markers import VersionMarkers

MAX_REQUEST_BYTES = 1024 * 1024


class RequestHandler:
    """Answers the requests of polled batches by running a list of steps.

    Every record leaves as a prediction of each model that it asks, as a typed error, or as a dead
    letter; a duplicate leaves as nothing, since it has its response. Responses keep the order of
    their records. All requests of a batch see the same version of a model.
    """

    def __init__(self, engine: InferenceEngine, steps: Sequence[Step]) -> None:
        self._engine = engine
        self._steps = steps

    def __call__(self, batch: Sequence[Record]) -> HandlerResult:
        """Answer one polled batch."""
        state = BatchState.begin(batch, self._engine.resolver())
        for step in self._steps:
            step(state)
        return state.result()


def request_handler(  # noqa: PLR0913 - one argument for each collaborator of a step
    topics: Topics,
    models: ModelProvider,
    settings: InferenceSettings,
    *,
    max_request_bytes: int = MAX_REQUEST_BYTES,
    deduplicator: Deduplicator | None = None,
    markers: VersionMarkers | None = None,
    now: Callable[[], float] = time,
    on_refusal: OnRefusal = ignore_refusal,
) -> RequestHandler:
    """Return a handler composed of its steps, which are listed here in their order.

    Args:
        topics: where responses and dead letters go.
        models: gives the loaded models.
        settings: the route, the traffic split, and what a prediction records.
        max_request_bytes: larger requests become dead letters.
        deduplicator: without it, a request that is sent twice is answered twice.
        markers: without it, no version markers are written.
        now: returns the seconds since the epoch that deadlines are checked against.
        on_refusal: called for every error and dead letter.
    """
    engine, writer = InferenceEngine(models, settings), ResponseWriter(topics, on_refusal)
    steps: list[Step] = [
        Decode(FastPath(settings, max_request_bytes), max_request_bytes),
        *([] if deduplicator is None else [Deduplicate(deduplicator)]),
        RefuseUndecodable(writer),
        RefuseExpired(writer, now),
        InferFast(writer, settings.record_features),
        Infer(writer, engine),
        *([] if markers is None else [MarkVersions(markers)]),
    ]
    return RequestHandler(engine, steps)
