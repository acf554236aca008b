"""The account: what was sent against what stands in the end. Pure."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from modstream.broker.client.publisher import UNKNOWN_OFFSET
from modstream.operations.verify.outcomes import PREDICTION, Place, Sighting
from modstream.operations.verify.sent_log import Fate, Sent

EXAMPLES = 5


class Fault(StrEnum):
    """What no delivery that keeps its promise does."""

    LOST = "lost"
    """A request was acknowledged and neither answered nor dead-lettered."""
    DUPLICATE = "duplicate"
    """A request left the stream more than once; each time too many counts."""
    PHANTOM = "phantom"
    """An answer to a request that was never sent, or whose sending was refused."""
    REORDERED = "reordered"
    """An answer came before that to an earlier request of its key."""
    ABORTED_READ = "aborted read"
    """A reader of committed records saw one that does not stand in the end."""
    CORRUPTED = "corrupted"
    """An answer does not fit its request: another number, or another place."""
    OPEN_TRANSACTION = "open transaction"
    """A partition of answers whose readers of committed records must wait."""
    UNCOMMITTED = "uncommitted offset"
    """A partition of requests that the workers' group has not committed to its end."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The partitions that had not come to rest, each in a sentence."""

    open_transactions: tuple[str, ...] = ()
    uncommitted: tuple[str, ...] = ()


AT_REST = Standing()


@dataclass(frozen=True, slots=True)
class Finding:
    """How often a fault was found, and a few of its cases."""

    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an account found: requests by fate, ways out by kind, and every fault.

    `aborted` counts records that only a reader of uncommitted records saw: no fault, but a trace
    of those that hit.
    """

    requests: int
    sent: Mapping[Fate, int]
    ways_out: Mapping[str, int]
    aborted: int
    findings: Mapping[Fault, Finding] = field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        """Whether every promise was kept."""
        return not any(finding.count for finding in self.findings.values())

    def count(self, fault: Fault) -> int:
        """How often a fault was found."""
        return self.findings[fault].count

    @property
    def found(self) -> dict[str, int]:
        """The faults that were found at all, with their counts."""
        return {str(fault): found.count for fault, found in self.findings.items() if found.count}


def account(
    sent: Mapping[str, Sent],
    seen: Iterable[Sighting],
    unfiltered: Iterable[Sighting],
    final: Sequence[Sighting],
    standing: Standing = AT_REST,
    scope: str = "",
) -> Verdict:
    """Judge a run.

    Args:
        sent: the journal's requests by id.
        seen: what a reader of committed records saw while the run went on.
        unfiltered: the same of a reader of uncommitted records.
        final: all committed records in the end, by offset within each partition.
        standing: what had not come to rest when `final` was read.
        scope: how the ids begin that are judged; others are other people's traffic.
    """
    ours = list(identified(sent, final, scope))
    by_id: defaultdict[str, list[Sighting]] = defaultdict(list)
    for one in ours:
        by_id[one.id].append(one)
    faults: dict[Fault, Collection[str]] = {
        Fault.LOST: lost(sent, by_id),
        Fault.DUPLICATE: duplicates(by_id),
        Fault.PHANTOM: phantoms(sent, ours),
        Fault.REORDERED: reordered(sent, ours),
        Fault.ABORTED_READ: aborted_reads(seen, final),
        Fault.CORRUPTED: corrupted(sent, ours),
        Fault.OPEN_TRANSACTION: standing.open_transactions,
        Fault.UNCOMMITTED: standing.uncommitted,
    }
    return Verdict(
        requests=len(sent),
        sent=Counter(one.fate for one in sent.values()),
        ways_out=Counter(one.kind for one in ours),
        aborted=len(set(unfiltered).difference(final)),
        findings={fault: Finding(len(c), tuple(c)[:EXAMPLES]) for fault, c in faults.items()},
    )


def lost(sent: Mapping[str, Sent], by_id: Mapping[str, Sequence[Sighting]]) -> list[str]:
    """Acknowledged requests with no way out."""
    return [
        f"{one.id} at {one.partition}@{one.offset}"
        for one in sent.values()
        if one.fate is Fate.OK and one.id not in by_id
    ]


def duplicates(by_id: Mapping[str, Sequence[Sighting]]) -> list[str]:
    """Every way out of a request after its first."""
    return [
        f"{name}: {again} after {ways[0]}" for name, ways in by_id.items() for again in ways[1:]
    ]


def phantoms(sent: Mapping[str, Sent], final: Iterable[Sighting]) -> list[str]:
    """Ways out of what was never sent, or surely does not lie in the topic."""
    return [
        f"{one.id}: {one}"
        for one in final
        if one.id not in sent or sent[one.id].fate is Fate.FAILED
    ]


def reordered(sent: Mapping[str, Sent], final: Iterable[Sighting]) -> list[str]:
    """Ways out behind that of a later request of their key; repetitions do not count again."""
    newest: dict[tuple[str, str, int], Sent] = {}
    known: set[str] = set()
    found = []
    for one in final:
        asked = sent.get(one.id)
        if asked is None or one.id in known:
            continue
        known.add(one.id)
        lane = (asked.key, one.topic, one.partition)
        before = newest.setdefault(lane, asked)
        if before.sequence > asked.sequence:
            found.append(f"{asked.id}: {one}, after {before.id}")
        else:
            newest[lane] = asked
    return found


def aborted_reads(seen: Iterable[Sighting], final: Iterable[Sighting]) -> list[str]:
    """What a reader of committed records saw and what does not stand in the end."""
    return [f"{one.id}: {one}" for one in set(seen).difference(final)]


def corrupted(sent: Mapping[str, Sent], final: Iterable[Sighting]) -> list[str]:
    """Ways out that do not fit the request whose id they bear."""
    return [
        f"{one.id}: {one} {misfit}"
        for one in final
        if one.id in sent and (misfit := misfit_of(one, sent[one.id]))
    ]


def misfit_of(one: Sighting, asked: Sent) -> str:
    """What about a way out does not fit its request; empty if all does."""
    if one.kind == PREDICTION and one.value != asked.value:
        return f"says {one.value}, not {asked.value}"
    if is_misplaced(one, asked):
        return f"names {one.source} as its request's place, not {place_of(asked, one)}"
    return ""


def is_misplaced(one: Sighting, asked: Sent) -> bool:
    """Whether a way out names another place than was acknowledged, or none."""
    return asked.fate is Fate.OK and one.source != place_of(asked, one)


def place_of(asked: Sent, one: Sighting) -> Place:
    """Where a request was acknowledged; if its offset was not told, where its way out has it."""
    if asked.offset == UNKNOWN_OFFSET and one.source is not None:
        return Place(asked.partition, one.source.offset)
    return Place(asked.partition, asked.offset)


def elsewhere(sent: Mapping[str, Sent], final: Iterable[Sighting]) -> Iterator[tuple[str, Place]]:
    """Ids and places of ways out that name another place than was acknowledged."""
    for one in final:
        asked = sent.get(one.id)
        if asked is not None and one.source is not None and is_misplaced(one, asked):
            yield one.id, one.source


def identified(
    sent: Mapping[str, Sent], final: Iterable[Sighting], scope: str
) -> Iterator[Sighting]:
    """Sightings in scope; one without an id has that of the request whose place it names."""
    ids = {Place(s.partition, s.offset): s.id for s in sent.values() if s.fate is Fate.OK}
    for one in final:
        named = one
        if not one.id and one.source is not None:
            named = one._replace(id=ids.get(one.source, ""))
        if named.id.startswith(scope):
            yield named
