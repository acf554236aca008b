"""The audit of labels: each one is joined with its prediction or unjoined for a stated reason."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from modstream.audit.columns import BoolArray, IntArray
from modstream.audit.stream_audit import StreamAudit
from modstream.audit.tables import UNKNOWN_ID, JoinColumns, ResponseColumns
from modstream.broker.wire.contracts import UnjoinedReason
from modstream.models.evaluation.metrics import FloatArray


@dataclass(frozen=True, slots=True)
class LabelAudit:
    """The labels of a stream and their outcomes.

    `sent` and `unaccounted` count labels; `joined` counts ids. `unjoined` counts by reason; the
    reason `missing` counts predictions without a label, not labels. `unaccounted` labels are
    neither joined nor unjoined; `without_prediction` are those among them whose id has no
    prediction. `joins_without_label` are feedback records whose label was never sent,
    `altered_joins` joins that differ from the prediction or the label. `repeated_joins` and
    `repeated_unjoined` are outcomes written again, as a joiner may after a crash; learners
    deduplicate them, so they are not faults. `delays` counts labels by the upper bound of their
    delay (ms of event time since the request), from the newest metrics of the joiner.
    """

    sent: int
    unreadable: int
    joined: int
    unjoined: Mapping[str, int]
    unaccounted: int
    without_prediction: int
    joins_without_label: int
    altered_joins: int
    repeated_joins: int
    repeated_unjoined: int
    delays: Mapping[int, int]

    @property
    def is_sound(self) -> bool:
        """Whether every label is accounted for and no join is altered."""
        return not any(self.faults().values())

    def faults(self) -> dict[str, int]:
        """Return the count of each fault."""
        return {
            "labels not accounted for": self.unaccounted,
            "joins without a label": self.joins_without_label,
            "joins with altered content": self.altered_joins,
        }


def audit_labels(audit: StreamAudit) -> LabelAudit:
    """Count the outcomes of all labels."""
    labels, size = audit.labels, len(audit.ids)
    sent, joined = labels.sent.int_array(size), labels.joined.int_array(size) > 0
    outcomes = joined + labels.unjoined.int_array(size)
    unaccounted = np.maximum(sent - outcomes, 0)
    return LabelAudit(
        sent=int(sent.sum()),
        unreadable=audit.anomalies.malformed[audit.topics.labels],
        joined=int(joined.sum()),
        unjoined={reason.value: audit.unjoined[reason] for reason in UnjoinedReason},
        unaccounted=int(unaccounted.sum()),
        without_prediction=int(unaccounted[~_has_prediction(audit, size)].sum()),
        joins_without_label=int((joined & (sent == 0)).sum()),
        altered_joins=int(sum(_count_altered(audit, model) for model in audit.joins)),
        repeated_joins=audit.repeated_joins,
        repeated_unjoined=int(np.maximum(outcomes - sent, 0)[sent > 0].sum()),
        delays=_delays(audit),
    )


def first_prediction_rows(
    audit: StreamAudit, responses: ResponseColumns
) -> tuple[IntArray, IntArray]:
    """Return the ids with a prediction, and the request row of each one's first, both (n,)."""
    size = len(audit.requests.rows)
    ids = audit.requests.id_row.int_array(size)
    rows = np.flatnonzero((responses.predictions.int_array(size) > 0) & (ids != UNKNOWN_ID))
    ids_found, first = np.unique(ids[rows], return_index=True)
    return ids_found, rows[first]


def _delays(audit: StreamAudit) -> dict[int, int]:
    metrics = audit.metrics.get(("label_delay", None, None))
    return {} if metrics is None else {int(le): int(count) for le, count in metrics.values.items()}


def _has_prediction(audit: StreamAudit, size: int) -> BoolArray:
    found = np.zeros(size, dtype=np.bool_)
    for responses in audit.responses.values():
        found[first_prediction_rows(audit, responses)[0]] = True
    return found


def _count_altered(audit: StreamAudit, model: str) -> int:
    """Count the joins of one model whose version, value or label differs from the original."""
    joins, labels, size = audit.joins[model], audit.labels, len(audit.ids)
    responses = audit.responses.get(model, ResponseColumns())
    rows = np.full(size, -1)
    ids_found, first = first_prediction_rows(audit, responses)
    rows[ids_found] = first
    joined = joins.count.int_array(size) > 0
    same_prediction = _repeats_prediction(responses, joins, rows, len(audit.requests.rows))
    label = joins.label.float_array(size)
    same_label = _equal_or_both_nan(label, labels.first.float_array(size)) | _equal_or_both_nan(
        label, labels.last.float_array(size)
    )
    return int((joined & ~(same_prediction & same_label)).sum())


def _repeats_prediction(
    responses: ResponseColumns, joins: JoinColumns, rows: IntArray, requests: int
) -> BoolArray:
    """Return whether each id's join equals the prediction in its request row; -1 means no row."""
    size = len(rows)
    if not requests:
        return rows >= 0
    version, value = (
        responses.version.int_array(requests)[rows],
        responses.value.float_array(requests)[rows],
    )
    same: BoolArray = (joins.version.int_array(size) == version) & _equal_or_both_nan(
        joins.value.float_array(size), value
    )
    return same & (rows >= 0)


def _equal_or_both_nan(ours: FloatArray, theirs: FloatArray) -> BoolArray:
    equal: BoolArray = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    return equal
