"""The mutants as data: what is broken, under which fault, and what the account must find."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from modstream.operations.verify.audit import Fault
from modstream.operations.verify.observer import Witness
from modstream.services.worker import Parts, delivery, handler
from tests.faults.injected_faults import Aborting, DyingConsumer, Hits, Refused
from tests.faults.mutants import (
    DroppingOnRevoke,
    NeverRewinding,
    OffByOne,
    OffsetsFirst,
    Swallowing,
    from_wrong_rows,
    reusing_ids,
)

NARROW = "narrow"
"""Suffix of a topic that refuses every answer."""


def plain(hits: Hits) -> Parts:
    return Parts()


def joined(kind, hits: Hits):
    """A consumer of another class, in the workers' group."""

    def made(settings, client):
        topics = settings.topics()
        where = (topics.group("worker"), [topics.requests], settings.batch, client)
        return kind(settings.connection, *where, **hits)

    return made


def aborting(hits: Hits) -> Parts:
    return Parts(delivery=lambda *given: Aborting(delivery(*given), hits))


def aborting_without_rewind(hits: Hits) -> Parts:
    return Parts(joined(NeverRewinding, {}), aborting(hits).delivery)


def refused(hits: Hits) -> Parts:
    return Parts(
        delivery=lambda settings, client, source: Refused(
            delivery(settings, client, source), hits, f"{settings.prefix}{NARROW}"
        )
    )


def refused_and_swallowed(hits: Hits) -> Parts:
    return Parts(
        delivery=lambda settings, client, source: Swallowing(
            refused(hits).delivery(settings, client, source), source
        )
    )


def dying(hits: Hits) -> Parts:
    return Parts(joined(DyingConsumer, {"hits": hits}))


def dying_with_offsets_first(hits: Hits) -> Parts:
    return Parts(
        dying(hits).consumer,
        lambda settings, client, source: OffsetsFirst(delivery(settings, client, source), source),
    )


def off_by_one(hits: Hits) -> Parts:
    return Parts(delivery=lambda *given: OffByOne(delivery(*given)))


def dropping(hits: Hits) -> Parts:
    return Parts(joined(DroppingOnRevoke, {"hits": hits}))


def reused(hits: Hits) -> Parts:
    return Parts(handler=lambda *given: reusing_ids(handler(*given), hits))


def wrong_rows(hits: Hits) -> Parts:
    return Parts(handler=lambda *given: from_wrong_rows(handler(*given), hits))


def restart(crew) -> None:
    """End the first worker and start it again."""
    crew.stop(0)
    crew.start(0)


def rebalance(crew) -> None:
    """Let a second worker come, or go; returns when the partitions have moved."""
    if crew.is_running(1):
        crew.stop(1)
    else:
        crew.start(1)
    crew.await_members()


@dataclass(frozen=True)
class Case:
    """A mutant, the genuine worker under the same fault, and what tells them apart.

    `harm` is the kind of hit without which the mutant would do nothing wrong. `disturb` is done
    to the workers three times in a run; `rate` is the load's, per second.
    """

    mutant: Callable[[Hits], Parts]
    genuine: Callable[[Hits], Parts]
    caught: frozenset[Fault]
    harm: str
    delivery: str = "exactly_once"
    disturb: Callable | None = None
    witness: Callable = Witness
    rate: float = 1500

    @property
    def needs_a_fault(self) -> bool:
        """Whether the mutant differs from the genuine worker only when something fails."""
        return self.genuine is not plain or self.disturb is not None


CASES = {
    "commits offsets before it produces": Case(
        dying_with_offsets_first, dying, frozenset({Fault.LOST}), "death", "at_least_once"
    ),
    "commits the last offset, not the next": Case(
        off_by_one, plain, frozenset({Fault.DUPLICATE, Fault.UNCOMMITTED}), "disturbed",
        disturb=restart,
    ),
    "does not rewind after an abort": Case(
        aborting_without_rewind, aborting, frozenset({Fault.LOST}), "abort"
    ),
    "swallows a delivery error": Case(
        refused_and_swallowed, refused, frozenset({Fault.LOST}), "refusal", "at_least_once"
    ),
    "trusts a witness that reads uncommitted records": Case(
        aborting, aborting, frozenset({Fault.ABORTED_READ}), "abort",
        witness=partial(Witness, committed=False),
    ),
    "uses an id again": Case(
        reused, plain, frozenset({Fault.LOST, Fault.DUPLICATE, Fault.CORRUPTED}), "broken answers"
    ),
    "answers from a wrong row": Case(
        wrong_rows, plain, frozenset({Fault.CORRUPTED}), "broken answers"
    ),
    "drops a batch on revoke and commits its offsets": Case(
        dropping, plain, frozenset({Fault.LOST}), "dropped", disturb=rebalance, rate=400
    ),
}  # fmt: skip
