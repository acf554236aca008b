"""The audit of a verification run: the requests sent against the final outcomes. Pure."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from modstream.broker.client.publisher import UNKNOWN_OFFSET
from modstream.operations.verify.outcomes import PREDICTION, Outcome, PartitionOffset
from modstream.operations.verify.sent_log import SendStatus, SentRequest

MAX_EXAMPLES = 5


class Fault(StrEnum):
    """The faults of delivery."""

    LOST = "lost"
    """A request was acknowledged and neither answered nor dead-lettered."""
    DUPLICATE = "duplicate"
    """A request left the stream more than once; each outcome after the first counts."""
    PHANTOM = "phantom"
    """An outcome of a request that was never sent, or that the broker rejected."""
    REORDERED = "reordered"
    """An outcome came latest that of an earlier request with the same key."""
    ABORTED_READ = "aborted read"
    """A reader of committed records saw an outcome that is not in the final log."""
    CORRUPTED = "corrupted"
    """An outcome does not match its request: another number, or another position."""
    OPEN_TRANSACTION = "open transaction"
    """A partition of outcomes where an open transaction blocks readers of committed records."""
    UNCOMMITTED = "uncommitted offset"
    """A partition of requests whose end the workers' group has not committed."""


@dataclass(frozen=True, slots=True)
class Quiescence:
    """The partitions that were not quiescent, with a description of each."""

    open_transactions: tuple[str, ...] = ()
    uncommitted: tuple[str, ...] = ()


QUIESCENT = Quiescence()


@dataclass(frozen=True, slots=True)
class FaultFinding:
    """The number of cases of a fault, and a few examples."""

    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """The result of a verification: requests by send status, outcomes by kind, and all faults.

    `aborted` counts outcomes that only a reader of uncommitted records saw: evidence of aborted
    transactions, not a fault.
    """

    requests: int
    sent: Mapping[SendStatus, int]
    exits: Mapping[str, int]
    aborted: int
    findings: Mapping[Fault, FaultFinding] = field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        """Whether no fault was found."""
        return not any(finding.count for finding in self.findings.values())

    def count(self, fault: Fault) -> int:
        """Return the number of cases of a fault."""
        return self.findings[fault].count

    @property
    def fault_counts(self) -> dict[str, int]:
        """The faults with at least one case, with their counts."""
        return {str(fault): found.count for fault, found in self.findings.items() if found.count}


def audit_run(
    sent: Mapping[str, SentRequest],
    observed: Iterable[Outcome],
    observed_uncommitted: Iterable[Outcome],
    final: Sequence[Outcome],
    quiescence: Quiescence = QUIESCENT,
    scope: str = "",
) -> VerificationResult:
    """Audit a run.

    Args:
        sent: the requests sent, by id.
        observed: what a reader of committed records saw during the run.
        observed_uncommitted: the same, from a reader of uncommitted records.
        final: all committed outcomes at the end, by offset within each partition.
        quiescence: what was not quiescent when `final` was read.
        scope: the prefix of the ids to audit; other ids are traffic of other clients.
    """
    in_scope = list(select_in_scope(sent, final, scope))
    by_id: defaultdict[str, list[Outcome]] = defaultdict(list)
    for one in in_scope:
        by_id[one.id].append(one)
    faults: dict[Fault, Collection[str]] = {
        Fault.LOST: find_lost(sent, by_id),
        Fault.DUPLICATE: find_duplicates(by_id),
        Fault.PHANTOM: find_phantoms(sent, in_scope),
        Fault.REORDERED: find_reordered(sent, in_scope),
        Fault.ABORTED_READ: find_aborted_reads(observed, final),
        Fault.CORRUPTED: find_corrupted(sent, in_scope),
        Fault.OPEN_TRANSACTION: quiescence.open_transactions,
        Fault.UNCOMMITTED: quiescence.uncommitted,
    }
    return VerificationResult(
        requests=len(sent),
        sent=Counter(one.status for one in sent.values()),
        exits=Counter(one.kind for one in in_scope),
        aborted=len(set(observed_uncommitted).difference(final)),
        findings={
            fault: FaultFinding(len(c), tuple(c)[:MAX_EXAMPLES]) for fault, c in faults.items()
        },
    )


def find_lost(sent: Mapping[str, SentRequest], by_id: Mapping[str, Sequence[Outcome]]) -> list[str]:
    """Return the acknowledged requests without an outcome."""
    return [
        f"{one.id} at {one.partition}@{one.offset}"
        for one in sent.values()
        if one.status is SendStatus.OK and one.id not in by_id
    ]


def find_duplicates(by_id: Mapping[str, Sequence[Outcome]]) -> list[str]:
    """Return all outcomes of a request after its first."""
    return [
        f"{name}: {again} after {outcomes[0]}"
        for name, outcomes in by_id.items()
        for again in outcomes[1:]
    ]


def find_phantoms(sent: Mapping[str, SentRequest], final: Iterable[Outcome]) -> list[str]:
    """Return the outcomes of requests that were never sent, or that the broker rejected."""
    return [
        f"{one.id}: {one}"
        for one in final
        if one.id not in sent or sent[one.id].status is SendStatus.FAILED
    ]


def find_reordered(sent: Mapping[str, SentRequest], final: Iterable[Outcome]) -> list[str]:
    """Return the outcomes after that of a later request with the same key, without duplicates."""
    newest: dict[tuple[str, str, int], SentRequest] = {}
    known: set[str] = set()
    found = []
    for one in final:
        request = sent.get(one.id)
        if request is None or one.id in known:
            continue
        known.add(one.id)
        key = (request.key, one.topic, one.partition)
        latest = newest.setdefault(key, request)
        if latest.sequence > request.sequence:
            found.append(f"{request.id}: {one}, after {latest.id}")
        else:
            newest[key] = request
    return found


def find_aborted_reads(observed: Iterable[Outcome], final: Iterable[Outcome]) -> list[str]:
    """Return the outcomes that a reader of committed records saw and that are not final."""
    return [f"{one.id}: {one}" for one in set(observed).difference(final)]


def find_corrupted(sent: Mapping[str, SentRequest], final: Iterable[Outcome]) -> list[str]:
    """Return the outcomes that do not match the request with their id."""
    return [
        f"{one.id}: {one} {mismatch}"
        for one in final
        if one.id in sent and (mismatch := describe_mismatch(one, sent[one.id]))
    ]


def describe_mismatch(outcome: Outcome, request: SentRequest) -> str:
    """Describe how an outcome does not match its request; empty if it matches."""
    if outcome.kind == PREDICTION and outcome.value != request.value:
        return f"has the number {outcome.value}, not {request.value}"
    if is_misplaced(outcome, request):
        expected = expected_source(request, outcome)
        return f"names {outcome.source} as its request's position, not {expected}"
    return ""


def is_misplaced(outcome: Outcome, request: SentRequest) -> bool:
    """Return whether an outcome refers to another position than was acknowledged, or to none."""
    return request.status is SendStatus.OK and outcome.source != expected_source(request, outcome)


def expected_source(request: SentRequest, outcome: Outcome) -> PartitionOffset:
    """Return the acknowledged position; if its offset is unknown, the one in the outcome."""
    if request.offset == UNKNOWN_OFFSET and outcome.source is not None:
        return PartitionOffset(request.partition, outcome.source.offset)
    return PartitionOffset(request.partition, request.offset)


def find_misplaced(
    sent: Mapping[str, SentRequest], final: Iterable[Outcome]
) -> Iterator[tuple[str, PartitionOffset]]:
    """Yield ids and positions of outcomes that refer to another position than acknowledged."""
    for one in final:
        request = sent.get(one.id)
        if request is not None and one.source is not None and is_misplaced(one, request):
            yield one.id, one.source


def select_in_scope(
    sent: Mapping[str, SentRequest], final: Iterable[Outcome], scope: str
) -> Iterator[Outcome]:
    """Yield the outcomes in scope; one without an id gets that of the request it refers to."""
    ids = {
        PartitionOffset(s.partition, s.offset): s.id
        for s in sent.values()
        if s.status is SendStatus.OK
    }
    for one in final:
        named = one
        if not one.id and one.source is not None:
            named = one._replace(id=ids.get(one.source, ""))
        if named.id.startswith(scope):
            yield named
