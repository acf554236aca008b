"""The handler of the request path: polled records in, responses out."""

from collections.abc import Callable, Sequence
from functools import partial
from time import time

from modstream.broker.errors import InternalError, UnforeseenException
from modstream.broker.loop.isolation import isolate
from modstream.broker.loop.ports import HandlerResult
from modstream.broker.wire.record_limits import RecordLimits
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.processors.predict.answer_events import WriteEvents
from modstream.processors.predict.deduplication import Deduplicator
from modstream.processors.predict.engine import InferenceEngine
from modstream.processors.predict.fast_path import FastPath
from modstream.processors.predict.infer_steps import Infer, InferFast
from modstream.processors.predict.inference_log import (
    InferenceLog,
    NoteRequests,
    with_log_record,
)
from modstream.processors.predict.model_resolver import (
    FindThresholds,
    ModelProvider,
    ModelResolver,
    no_thresholds,
)
from modstream.processors.predict.personal_requests import PersonalFeatures, ProtectRequests
from modstream.processors.predict.refusals import Refusals, last_resort_letter
from modstream.processors.predict.responses import OnRefusal, ResponseWriter, ignore_refusal
from modstream.processors.predict.settings import InferenceSettings
from modstream.processors.predict.state import BatchState, Step
from modstream.processors.predict.steps import (
    Decode,
    Deduplicate,
    MarkVersions,
    RefuseExpired,
    RefuseUndecodable,
)
from modstream.processors.predict.stream_features import FindFeatures, no_features
from modstream.processors.predict.version_markers import VersionMarkers

MAX_REQUEST_BYTES = 1024 * 1024


class RequestHandler:
    """Answers the requests of polled batches by running a list of steps.

    Every record leaves as a prediction of each model that it asks, as a typed error, or as a dead
    letter; a duplicate leaves as nothing, since it has its response. Responses keep the order of
    their records. All requests of a batch see the same version of a model.

    A record on which a step raises an unforeseen exception leaves as a dead letter with the code
    `internal_error`; all others of its batch are answered as they are without it.
    """

    def __init__(
        self,
        engine: InferenceEngine,
        steps: Sequence[Step],
        refusals: Refusals,
        writer: ResponseWriter,
        deduplicator: Deduplicator | None = None,
        log: InferenceLog | None = None,
    ) -> None:
        self._engine = engine
        self._steps = steps
        self._refusals = refusals
        self._writer = writer
        self._deduplicator = deduplicator
        self._log = log

    def __call__(self, batch: Sequence[Record]) -> HandlerResult:
        """Answer one polled batch."""
        results = isolate(partial(self._answer, self._engine.resolver()), batch, self.set_aside)
        self._refusals.report()
        return HandlerResult.joined(results)

    def set_aside(self, record: Record, error: InternalError) -> HandlerResult:
        """Return the dead letter of a record that cannot be handled."""
        self._refusals.note(error.code, None)
        if self._deduplicator is not None and isinstance(error, UnforeseenException):
            # A record that ended the process must not be read again.
            self._deduplicator.note(record)
        letter = last_resort_letter(self._writer, record, error)
        return HandlerResult(with_log_record(self._log, record, error, letter))

    def _answer(self, resolver: ModelResolver, records: Sequence[Record]) -> HandlerResult:
        """Answer some records of a batch; nothing remembers them if a step fails."""
        state = BatchState.begin(records, resolver)
        noted = self._refusals.count
        try:
            for step in self._steps:
                step(state)
            return state.result()
        except BaseException:
            state.revert()
            self._refusals.truncate(noted)
            raise


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
    limits: RecordLimits | None = None,
    log: InferenceLog | None = None,
    thresholds: FindThresholds = no_thresholds,
    features: FindFeatures = no_features,
    answer_events: bool = False,
    personal: PersonalFeatures | None = None,
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
        limits: the maximum record sizes of the topics that responses go to.
        log: without it, no inference log is written.
        thresholds: without it, answers have no conformal sets or intervals.
        features: without it, no features of the stream are added to requests.
        answer_events: whether all answers are CloudEvents; without it, only those to CloudEvents.
        personal: without it, no feature is personal, and requests are decoded as they are.
    """
    refusals = Refusals(on_refusal)
    engine = InferenceEngine(models, settings, thresholds, features)
    writer = ResponseWriter(topics, refusals.note, limits)
    decode: Step = Decode(FastPath(settings, max_request_bytes), max_request_bytes)
    if personal is not None:
        decode = ProtectRequests(decode, personal, settings, max_request_bytes)
    steps: list[Step] = [
        decode if log is None else NoteRequests(decode, now),
        *([] if deduplicator is None else [Deduplicate(deduplicator)]),
        RefuseUndecodable(writer),
        RefuseExpired(writer, now),
        InferFast(writer, settings.record_features),
        Infer(writer, engine),
        WriteEvents(writer, topics.stream, now, always=answer_events),
        *([] if markers is None else [MarkVersions(markers)]),
        *([] if log is None else [log]),
    ]
    return RequestHandler(engine, steps, refusals, writer, deduplicator, log)
