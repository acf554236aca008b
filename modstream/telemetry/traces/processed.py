"""The batches of workers, joiners and learners, each with a span once it is done."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from time import time_ns
from typing import NamedTuple, ParamSpec

import structlog

from modstream.broker.errors import DeliveryFailed, TransactionAborted
from modstream.broker.loop.ports import Delivery, Handler, HandlerResult, ModelCost
from modstream.broker.wire.records import ProducerRecord, Record
from modstream.broker.wire.topics import Header
from modstream.broker.wire.trace_context import sampled_parents
from modstream.processors.join.ports import JoinedBatch
from modstream.telemetry.traces import conventions as names
from modstream.telemetry.traces.batch_spans import BatchSpans
from modstream.telemetry.traces.ports import IsNew, Learn

P = ParamSpec("P")
MAX_HANDLED = 4
"""Number of batches that a loop may have handled and not delivered, and more."""


def without_raising(call: Callable[P, None]) -> Callable[P, None]:
    """Return a function whose exceptions are logged: tracing must not stop what it observes."""

    @wraps(call)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            call(*args, **kwargs)
        except Exception:  # noqa: BLE001 - see above
            structlog.get_logger(__name__).exception("span not recorded")

    return run


class Handled(NamedTuple):
    """A batch that was handled: when that began, in ns since the epoch, and the models asked."""

    batch: Sequence[Record]
    started: int
    costs: Sequence[ModelCost]


@dataclass(slots=True)
class TracedWorker:
    """A worker's handler and delivery. A batch has a span once it is delivered, and only then.

    So a batch that is read again after an aborted transaction is linked to its requests once.
    """

    spans: BatchSpans
    inner_handle: Handler
    inner_deliver: Delivery
    _handled: deque[Handled] = field(default_factory=lambda: deque(maxlen=MAX_HANDLED))
    _failures: int = 0

    def handle(self, batch: Sequence[Record]) -> HandlerResult:
        """Handle a batch; called by the handler's thread."""
        started = time_ns()
        result = self.inner_handle(batch)
        self._handled.append(Handled(batch, started, result.costs))
        return result

    def __call__(self, records: Iterable[ProducerRecord], batch: Sequence[Record]) -> None:
        """Deliver a batch; called by the delivery's thread."""
        try:
            self.inner_deliver(records, batch)
        except (TransactionAborted, DeliveryFailed):
            self._failures += 1
            raise
        handled = next((one for one in self._handled if one.batch is batch), None)
        if handled is not None:
            add_worker_span(self.spans, handled, self._failures)
        self._failures = 0

    def close(self) -> None:
        """Close the connections."""
        self.inner_deliver.close()


@without_raising
def add_worker_span(spans: BatchSpans, handled: Handled, failures: int) -> None:
    """End the span of a delivered batch, if a request of it is sampled."""
    if not (values := sampled_parents(handled.batch)):
        return
    attributes = model_attributes(handled.costs)
    if failures:
        attributes[names.FAILED_DELIVERIES] = failures
    spans.add(handled.batch, values, handled.started, attributes)


def model_attributes(costs: Sequence[ModelCost]) -> dict[str, str | int | tuple[str, ...]]:
    """Return the versions that were asked."""
    asked = {(one.model, one.version) for one in costs if one.version is not None and one.rows}
    found = sorted((model, version) for model, version in asked if version is not None)
    attributes: dict[str, str | int | tuple[str, ...]] = {
        names.MODELS: tuple(f"{model}/{version}" for model, version in found)
    }
    if len(found) == 1:
        attributes[names.MODEL_NAME], attributes[names.MODEL_VERSION] = found[0]
    return attributes


@without_raising
def add_joiner_span(spans: BatchSpans, batch: JoinedBatch) -> None:
    """End the span of a joined batch, linked to what was read and to what was joined.

    A label may have waited for its prediction, or the other way round: so what is published for the
    batch is linked, too. A batch of which nothing is sampled has no span.
    """
    values = sampled_parents(batch.records)
    published = [
        Record("", 0, 0, None, None, one.headers) for one in batch.published if one.headers
    ]
    values += joined_parents(published)
    if values:
        spans.add(batch.records, tuple(dict.fromkeys(values)), batch.started, {})


def joined_parents(records: Sequence[Record]) -> list[bytes]:
    """Return the contexts of the requests and of the labels of joined records."""
    return sampled_parents(records) + sampled_parents(records, Header.LABEL_TRACE)


def traced_learning(spans: BatchSpans, learn: Learn, is_new: IsNew) -> Learn:
    """Return a function that learns a batch of feedback, and then ends its span.

    Feedback that was learned before a restart is left out.
    """

    def run(records: Sequence[Record]) -> None:
        fresh = [record for record in records if record.headers and is_new(record)]
        started = time_ns()
        learn(records)
        if fresh and (values := joined_parents(fresh)):
            add_learner_span(spans, records, tuple(dict.fromkeys(values)), started)

    return run


@without_raising
def add_learner_span(
    spans: BatchSpans, records: Sequence[Record], values: Sequence[bytes], started: int
) -> None:
    """End the span of a learned batch."""
    spans.add(records, values, started, {})
