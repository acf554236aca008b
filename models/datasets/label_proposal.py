"""Which column of a data set is probably the label, and why."""

from collections.abc import Sequence
from typing import NamedTuple

from modstream.models.datasets.column_profiles import ColumnProfile

NAMES = frozenset(
    {
        "label", "target", "class", "outcome", "response", "y", "truth", "churn", "churned",
        "fraud", "default", "late", "survived", "converted", "clicked", "diagnosis", "species",
        "quality",
    }
)  # fmt: skip
"""Usual names of labels, in small letters."""
PREFIXES, SUFFIXES = ("is_", "has_", "target_"), ("_label", "_target", "_class", "_outcome")
MAX_CLASSES = 20


class LabelProposal(NamedTuple):
    """A column, and the reasons for which it is probably the label, as a sentence."""

    column: str
    reason: str


def propose_label(
    columns: Sequence[ColumnProfile], known: str | None = None
) -> LabelProposal | None:
    """Return the column that is probably the label; None if no column is likely.

    Args:
        columns: the profiles of all columns, in order.
        known: the label that the catalogue records, if it does.
    """
    if known is not None:
        return LabelProposal(known, "the catalogue records it as the label")
    judged = [(_judge(one, is_last=one is columns[-1]), one) for one in columns]
    (score, reasons), best = max(judged, key=lambda one: one[0][0], default=((0, []), None))
    if best is None or score < 3:
        return None
    return LabelProposal(best.name, ", ".join(reasons))


def _judge(column: ColumnProfile, *, is_last: bool) -> tuple[int, list[str]]:
    """Return how likely a column is the label, and the reasons."""
    if column.is_constant or column.is_unique or column.kind in {"timestamp", "other"}:
        return 0, []
    name, score, reasons = column.name.lower(), 0, []
    if name in NAMES or name.endswith(SUFFIXES):
        score += 3
        reasons.append(f"{column.name} is a usual name of a label")
    elif name.startswith(PREFIXES):
        score += 2
        reasons.append(f"the name {column.name} asks a question")
    if column.distinct == 2:
        score += 2
        reasons.append("it has two different values")
    elif column.kind != "float" and column.distinct <= MAX_CLASSES:
        score += 1
        reasons.append(f"it has {column.distinct} different values")
    if is_last:
        score += 1
        reasons.append("it is the last column")
    return score, reasons
