"""The audit of labels: each one is joined with its prediction or unjoined for a stated reason."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from modstream.audit.columns import BoolArray
from modstream.audit.names import OTHERS
from modstream.audit.predictions import first_predictions, has_prediction
from modstream.audit.stream_audit import StreamAudit
from modstream.broker.wire.contracts import UnjoinedReason


@dataclass(frozen=True, slots=True)
class LabelAudit:
    """The labels of a stream and their outcomes.

    `sent` and `unaccounted` count labels; `joined` counts ids. `unjoined` counts by reason; the
    reason `missing` counts predictions without a label, not labels. `unaccounted` labels are
    neither joined nor unjoined; `without_prediction` are those among them whose id has no
    prediction. `joins_without_label` are feedback records whose label was never sent,
    `altered_joins` joins that differ from the prediction or the label. `repeated_joins` and
    `repeated_unjoined` are outcomes written again, as a joiner may after a crash; learners
    deduplicate them, so they are not faults. `waiting` labels of a stream that runs on are not read
    by the joiner yet, or have no prediction yet. `delays` counts labels by the upper bound of their
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
    waiting: int = 0

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
    feedback, size = audit.feedback, len(audit.ids)
    labels = feedback.labels
    sent, joined = labels.sent.int_array(size), labels.joined.int_array(size) > 0
    outcomes = joined + labels.unjoined.int_array(size)
    unaccounted = np.maximum(sent - outcomes, 0)
    is_predicted, waiting = has_prediction(audit), audit.waiting.labels
    if audit.scope is not None:
        is_settled = is_predicted.copy()
        is_settled[list(audit.waiting.label_rows)] = False
        waiting += int(unaccounted[~is_settled].sum())
        unaccounted = np.where(is_settled, unaccounted, 0)
        # The labels of other joins were sent before the scope, or after it.
        joined &= sent > 0
    return LabelAudit(
        sent=int(sent.sum()),
        unreadable=audit.anomalies.malformed[audit.topics.labels],
        joined=int(joined.sum()),
        unjoined={reason.value: feedback.unjoined[reason] for reason in UnjoinedReason},
        unaccounted=int(unaccounted.sum()),
        without_prediction=int(unaccounted[~is_predicted].sum()),
        joins_without_label=int((joined & (sent == 0)).sum()),
        altered_joins=int(
            sum(_count_altered(audit, one) for one in feedback.joins if one != OTHERS)
        ),
        repeated_joins=feedback.repeated_joins,
        repeated_unjoined=int(np.maximum(outcomes - sent, 0)[sent > 0].sum()),
        delays=audit.events.delays,
        waiting=waiting,
    )


def _count_altered(audit: StreamAudit, model: str) -> int:
    """Count the joins of one model whose version, output or label differs from the original.

    With a scope, joins whose prediction or label is outside are not compared.
    """
    joins, labels, size = audit.feedback.joins[model], audit.feedback.labels, len(audit.ids)
    joined = joins.count.int_array(size) > 0
    is_same = np.zeros(size, dtype=np.bool_)
    if audit.scope is not None:
        joined &= _is_comparable(audit, model, size)
    if model in audit.responses:
        made = first_predictions(audit, audit.responses[model])
        keys = made.keys
        value = joins.value.float_array(size)[keys]
        is_same[keys] = (
            (joins.version.int_array(size)[keys] == made.version)
            & ((value == made.value) | (np.isnan(value) & np.isnan(made.value)))
            & joins.predicted.array(size).take(keys).equals(made.predicted)
        )
    label = joins.label.array(size)
    is_sent = label.equals(labels.first.array(size)) | label.equals(labels.last.array(size))
    return int((joined & ~(is_same & is_sent)).sum())


def _is_comparable(audit: StreamAudit, model: str, size: int) -> BoolArray:
    """Return which rows have a label and a prediction of a model inside the scope, (size,)."""
    found = np.zeros(size, dtype=np.bool_)
    if model in audit.responses:
        found[first_predictions(audit, audit.responses[model]).keys] = True
    is_labelled: BoolArray = audit.feedback.labels.sent.int_array(size) > 0
    return found & is_labelled
