"""What a live view leaves out, and why. Pure."""

from collections.abc import Mapping
from math import isfinite

from modstream.live.snapshot import LiveSnapshot
from modstream.report.formatting import format_count

SERVICES = ("worker", "joiner", "learner")


def has_labels(snapshot: LiveSnapshot) -> bool:
    """Return whether any label has arrived or was given up."""
    return any((snapshot.labels, snapshot.joined, snapshot.unjoined, snapshot.missing))


def describe_absent(snapshot: LiveSnapshot, lag: Mapping[str, int]) -> list[str]:
    """Return what the view leaves out, and why."""
    remarks = []
    if not has_labels(snapshot):
        remarks.append("no labels so far, so there are no joins and no AUC")
    elif not any(map(isfinite, snapshot.auc.values())):
        remarks.append("no AUC: no labels of two classes were joined so far")
    if snapshot.missing:
        missing = format_count(snapshot.missing)
        remarks.append(f"predictions whose label did not arrive in time: {missing}")
    absent = [service for service in SERVICES if service not in lag]
    if lag and absent:
        remarks.append(f"no lag, has not read the stream yet: {' and '.join(absent)}")
    return remarks
