"""The mutants as data: the broken part, the injected fault, and the faults the audit must find."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from modstream.operations.verify.audit import Fault
from modstream.operations.verify.observer import Observer
from modstream.services.worker import WorkerFactories, delivery, handler
from tests.faults.injected_faults import (
    AbortingDelivery,
    CrashingConsumer,
    FaultCounts,
    RejectedDelivery,
)
from tests.faults.mutants import (
    BatchDroppingConsumer,
    ErrorSwallowingDelivery,
    NonRewindingConsumer,
    OffByOneDelivery,
    OffsetsFirstDelivery,
    reuse_previous_id,
    use_previous_outputs,
)

TOO_SMALL = "too-small"
"""Suffix of a topic whose maximum message size rejects every response."""


def unchanged(hits: FaultCounts) -> WorkerFactories:
    return WorkerFactories()


def consumer_of(kind, hits: FaultCounts):
    """Return a factory of consumers of another class, in the workers' group."""

    def make(settings, client):
        topics = settings.topics()
        arguments = (topics.group("worker"), [topics.requests], settings.batch, client)
        return kind(settings.connection, *arguments, **hits)

    return make


def aborting(hits: FaultCounts) -> WorkerFactories:
    return WorkerFactories(delivery=lambda *arguments: AbortingDelivery(delivery(*arguments), hits))


def aborting_without_rewind(hits: FaultCounts) -> WorkerFactories:
    return WorkerFactories(consumer_of(NonRewindingConsumer, {}), aborting(hits).delivery)


def rejected(hits: FaultCounts) -> WorkerFactories:
    return WorkerFactories(
        delivery=lambda settings, client, source: RejectedDelivery(
            delivery(settings, client, source), hits, f"{settings.prefix}{TOO_SMALL}"
        )
    )


def rejected_and_swallowed(hits: FaultCounts) -> WorkerFactories:
    return WorkerFactories(
        delivery=lambda settings, client, source: ErrorSwallowingDelivery(
            rejected(hits).delivery(settings, client, source), source
        )
    )


def crashing(hits: FaultCounts) -> WorkerFactories:
    return WorkerFactories(consumer_of(CrashingConsumer, {"hits": hits}))


def crashing_with_offsets_first(hits: FaultCounts) -> WorkerFactories:
    return WorkerFactories(
        crashing(hits).consumer,
        lambda settings, client, source: OffsetsFirstDelivery(
            delivery(settings, client, source), source
        ),
    )


def off_by_one(hits: FaultCounts) -> WorkerFactories:
    return WorkerFactories(delivery=lambda *arguments: OffByOneDelivery(delivery(*arguments)))


def dropping(hits: FaultCounts) -> WorkerFactories:
    return WorkerFactories(consumer_of(BatchDroppingConsumer, {"hits": hits}))


def reused_ids(hits: FaultCounts) -> WorkerFactories:
    return WorkerFactories(handler=lambda *arguments: reuse_previous_id(handler(*arguments), hits))


def wrong_outputs(hits: FaultCounts) -> WorkerFactories:
    return WorkerFactories(
        handler=lambda *arguments: use_previous_outputs(handler(*arguments), hits)
    )


def restart_worker(workers) -> None:
    """Stop the first worker and start it again."""
    workers.stop(0)
    workers.start(0)


def rebalance(workers) -> None:
    """Start or stop a second worker; return when the partitions have moved."""
    if workers.is_running(1):
        workers.stop(1)
    else:
        workers.start(1)
    workers.wait_for_members()


@dataclass(frozen=True)
class MutantCase:
    """A mutant, the correct worker with the same injected fault, and the expected faults.

    Attributes:
        mutant: makes the factories of the broken worker.
        correct: makes the factories of the correct worker with the same injected fault.
        expected_faults: what the audit must find with the mutant.
        required_hit: the hit without which the mutant does nothing wrong.
        delivery: the delivery mode.
        disturb: disturbs the workers; it is called three times in a run.
        observer: makes the observer of committed records.
        rate: requests per second of the load.
    """

    mutant: Callable[[FaultCounts], WorkerFactories]
    correct: Callable[[FaultCounts], WorkerFactories]
    expected_faults: frozenset[Fault]
    required_hit: str
    delivery: str = "exactly_once"
    disturb: Callable | None = None
    observer: Callable = Observer
    rate: float = 1500

    @property
    def needs_a_fault(self) -> bool:
        """Whether the mutant differs from the correct worker only when something fails."""
        return self.correct is not unchanged or self.disturb is not None


CASES = {
    "commits offsets before it produces": MutantCase(
        crashing_with_offsets_first, crashing, frozenset({Fault.LOST}), "crash", "at_least_once"
    ),
    "commits the last offset, not the next": MutantCase(
        off_by_one, unchanged, frozenset({Fault.DUPLICATE, Fault.UNCOMMITTED}), "disturbed",
        disturb=restart_worker,
    ),
    "does not rewind after an abort": MutantCase(
        aborting_without_rewind, aborting, frozenset({Fault.LOST}), "abort"
    ),
    "swallows a delivery error": MutantCase(
        rejected_and_swallowed, rejected, frozenset({Fault.LOST}), "rejection", "at_least_once"
    ),
    "is observed by a reader of uncommitted records": MutantCase(
        aborting, aborting, frozenset({Fault.ABORTED_READ}), "abort",
        observer=partial(Observer, committed=False),
    ),
    "reuses an id": MutantCase(
        reused_ids, unchanged,
        frozenset({Fault.LOST, Fault.DUPLICATE, Fault.CORRUPTED}), "broken responses",
    ),
    "responds with the outputs of another row": MutantCase(
        wrong_outputs, unchanged, frozenset({Fault.CORRUPTED}), "broken responses"
    ),
    "drops a batch on revoke and commits its offsets": MutantCase(
        dropping, unchanged, frozenset({Fault.LOST}), "dropped", disturb=rebalance, rate=400
    ),
}  # fmt: skip


def correct_runs() -> list[str]:
    """Return the first case of each run of the correct worker; several mutants may share one."""
    first: dict[tuple[object, ...], str] = {}
    for name, case in CASES.items():
        first.setdefault((case.correct, case.delivery, case.disturb, case.rate), name)
    return list(first.values())
