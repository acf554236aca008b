"""Did every label find its prediction, or a stated reason why not?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from modstream.audit.audit_tables import NO_ID, Answers, Joins
from modstream.audit.columns import Ints, Mask
from modstream.audit.stream_audit import Ledger
from modstream.broker.wire.contracts import UnjoinedReason


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels and their fates.

    `sent` and `accounts` count labels, `joined` ids; `reasons` count what was set aside by its
    reason (`missing` are predictions without a label, not labels). Every label is joined or set
    aside; `unaccounted` ones are neither, `waiting` are those among them that have no
    prediction to be joined with. `invented` feedback has no label, `distorted` joins say other
    things than the prediction and the label do. `repeats` are answers joined again and
    `surplus` labels set aside again, as a joiner may after a crash; the learner knows them
    again, so they are no fault. `delays` counts labels by the upper bound of their delay (ms of
    event time since the request), as the joiner last told.
    """

    sent: int
    illegible: int
    joined: int
    reasons: Mapping[str, int]
    unaccounted: int
    waiting: int
    invented: int
    distorted: int
    repeats: int
    surplus: int
    delays: Mapping[int, int]

    @property
    def sound(self) -> bool:
        """Whether every label is accounted for and every join is true."""
        return not any(self.faults().values())

    def faults(self) -> dict[str, int]:
        """What may not be, with its count."""
        return {
            "labels unaccounted": self.unaccounted,
            "joins without a label": self.invented,
            "joins that distort": self.distorted,
        }


def labels(ledger: Ledger) -> Labels:
    """Account for every label."""
    truths, size = ledger.truths, len(ledger.ids)
    sent, joined = truths.sent.ints(size), truths.joined.ints(size) > 0
    settled = joined + truths.set_aside.ints(size)
    open_labels = np.maximum(sent - settled, 0)
    return Labels(
        sent=int(sent.sum()),
        illegible=ledger.oddities.broken[ledger.topics.labels],
        joined=int(joined.sum()),
        reasons={reason.value: ledger.unjoined[reason] for reason in UnjoinedReason},
        unaccounted=int(open_labels.sum()),
        waiting=int(open_labels[~_predicted(ledger, size)].sum()),
        invented=int((joined & (sent == 0)).sum()),
        distorted=int(sum(_distorted(ledger, model) for model in ledger.joins)),
        repeats=ledger.joined_again,
        surplus=int(np.maximum(settled - sent, 0)[sent > 0].sum()),
        delays=_delays(ledger),
    )


def first_rows(ledger: Ledger, answers: Answers) -> tuple[Ints, Ints]:
    """Each id with a prediction of one model, and the request row of the first: both (n,)."""
    size = len(ledger.requests.rows)
    ids = ledger.requests.id.ints(size)
    rows = np.flatnonzero((answers.count.ints(size) > 0) & (ids != NO_ID))
    numbers, first = np.unique(ids[rows], return_index=True)
    return numbers, rows[first]


def _delays(ledger: Ledger) -> dict[int, int]:
    told = ledger.metrics.get(("label_delay", None, None))
    return {} if told is None else {int(le): int(count) for le, count in told.values.items()}


def _predicted(ledger: Ledger, size: int) -> Mask:
    found = np.zeros(size, dtype=np.bool_)
    for answers in ledger.answers.values():
        found[first_rows(ledger, answers)[0]] = True
    return found


def _distorted(ledger: Ledger, model: str) -> int:
    """Joins of one model whose version, value or label is not what the topics say."""
    joins, truths, size = ledger.joins[model], ledger.truths, len(ledger.ids)
    answers = ledger.answers.get(model, Answers())
    rows = np.full(size, -1)
    numbers, first = first_rows(ledger, answers)
    rows[numbers] = first
    joined = joins.count.ints(size) > 0
    told = _told(answers, joins, rows, len(ledger.requests.rows))
    label = joins.label.floats(size)
    meant = _same(label, truths.first.floats(size)) | _same(label, truths.last.floats(size))
    return int((joined & ~(told & meant)).sum())


def _told(answers: Answers, joins: Joins, rows: Ints, requests: int) -> Mask:
    """Whether each id's join repeats the prediction in its request row; -1 is no row."""
    size = len(rows)
    if not requests:
        return rows >= 0
    version, value = answers.version.ints(requests)[rows], answers.value.floats(requests)[rows]
    same: Mask = (joins.version.ints(size) == version) & _same(joins.value.floats(size), value)
    return same & (rows >= 0)


def _same(ours: np.typing.NDArray[np.float64], theirs: np.typing.NDArray[np.float64]) -> Mask:
    equal: Mask = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    return equal
