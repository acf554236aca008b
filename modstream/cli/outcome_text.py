"""What became of labels, in sentences and as JSON."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modstream.broker.wire.contracts import UnjoinedReason
from modstream.cli.output import printable
from modstream.cli.output_text import format_value, headline
from modstream.operations.label_outcomes import LabelOutcome, LabelState

MAX_LINES = 20
"""Number of labels whose outcome is printed if many were sent and they were not joined."""
REASONS: Mapping[UnjoinedReason, str] = {
    UnjoinedReason.LATE: "too late: its prediction had waited for longer than joiner.horizon_ms",
    UnjoinedReason.ORPHAN: "dropped: too many labels wait for predictions",
    UnjoinedReason.DUPLICATE: "not used: the row has this label already, or one of a higher"
    " revision",
    UnjoinedReason.REVISED: "accepted: it corrects the earlier label of the row",
    UnjoinedReason.REFUSED: "not joined: the request was refused, so there is no prediction",
    UnjoinedReason.ROW_MISSING: "not joined: the request has several rows; name one with --row",
    UnjoinedReason.ROW_UNKNOWN: "not joined: the request has no row of this number",
    UnjoinedReason.FEATURES_NOT_RECORDED: "not joined: its features were not recorded",
    UnjoinedReason.NOT_LEARNABLE: "not joined: its outputs are not outputs of rows",
    UnjoinedReason.TOO_LARGE: "not joined: with its features it is too large for the topic",
    UnjoinedReason.MALFORMED: "not joined: it is not a valid label",
}
ACCEPTED = frozenset({UnjoinedReason.DUPLICATE, UnjoinedReason.REVISED})
"""Reasons for which a label is not joined, while its row has a label."""
KINDS: Mapping[object, str] = {
    LabelState.JOINED: "joined",
    LabelState.WAITING: "waiting for a prediction",
    LabelState.UNREAD: "not read by a joiner yet",
    UnjoinedReason.DUPLICATE: "labelled already",
    UnjoinedReason.REVISED: "corrected",
}
"""The words in which labels are counted; other reasons are their own words."""


def is_accepted(outcome: LabelOutcome) -> bool:
    """Return whether a label was not joined because its row has one already."""
    return outcome.reason in ACCEPTED


def is_lost(outcome: LabelOutcome) -> bool:
    """Return whether a label was not joined and never will be."""
    return outcome.state == LabelState.UNJOINED and not is_accepted(outcome)


def outcome_lines(
    outcomes: Sequence[LabelOutcome], stream: str, *, has_joiner: bool
) -> Iterator[str]:
    """Yield a line for a single label; for many, their counts and those that were not joined."""
    if len(outcomes) == 1:
        yield describe(outcomes[0], stream, has_joiner=has_joiner)
        return
    counts = Counter(_kind(outcome) for outcome in outcomes)
    if counts:
        yield ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
    others = [one for one in outcomes if one.state != LabelState.JOINED and not is_accepted(one)]
    for outcome in others[:MAX_LINES]:
        yield describe(outcome, stream, has_joiner=has_joiner)
    if len(others) > MAX_LINES:
        yield f"and {len(others) - MAX_LINES:,} more; --json prints all"


def describe(outcome: LabelOutcome, stream: str, *, has_joiner: bool) -> str:
    """Return what became of a label, in a sentence."""
    label = outcome.label
    row = "" if label.row is None else f" row {label.row}"
    return f"{printable(label.id)}{row}: {_sentence(outcome, stream, has_joiner=has_joiner)}"


def outcome_document(outcome: LabelOutcome) -> dict[str, Any]:
    """Return what became of a label as a JSON document."""
    label = outcome.label
    return {
        "id": label.id,
        "row": label.row,
        "label": label.label,
        "revision": label.revision,
        "event_time": label.event_time,
        "outcome": outcome.state.value,
        "reason": outcome.reason and outcome.reason.value,
        "detail": outcome.detail,
        "revises": outcome.revises,
        "predictions": [one.model_dump(mode="json") for one in outcome.predictions],
    }


def _kind(outcome: LabelOutcome) -> str:
    kind = outcome.reason or outcome.state
    return KINDS.get(kind, kind.value.replace("_", " "))


def _sentence(outcome: LabelOutcome, stream: str, *, has_joiner: bool) -> str:
    if outcome.state == LabelState.JOINED:
        made = "; ".join(
            f"{one.model} version {one.version}, which predicted {headline(one.outputs)}"
            for one in outcome.predictions
        )
        before = outcome.revises
        correction = "" if before is None else f", instead of {format_value(before)}"
        return f"label {format_value(outcome.label.label)} joined with {made}{correction}"
    if outcome.state == LabelState.WAITING:
        return (
            "waiting for its prediction; if there was one already, check the id, and give the"
            " request's key with --key if it has one"
        )
    if outcome.state == LabelState.UNREAD:
        if has_joiner:
            return f"not read by the joiner yet: see `modstream topics lag {stream}`"
        return f"no joiner runs: start one with `modstream joiner {stream}`; the label waits for it"
    reason = outcome.reason or UnjoinedReason.MALFORMED
    detail = f" ({printable(outcome.detail)})" if outcome.detail else ""
    return f"{REASONS.get(reason, reason.value)}{detail}"
