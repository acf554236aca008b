"""What a report leaves out because the stream has none of it, and why. Pure."""

from math import isfinite

from modstream.audit.result import AuditResult
from modstream.report.formatting import format_count


def has_labels(result: AuditResult) -> bool:
    """Return whether the stream has labels, or predictions whose label never arrived."""
    audit = result.labels
    return any((audit.sent, audit.joined, audit.waiting, *audit.unjoined.values()))


def has_quality(result: AuditResult) -> bool:
    """Return whether predictions of two classes could be compared with labels over time."""
    return any(isfinite(each.log_loss) for one in result.quality for each in one.bins)


def absent_parts(result: AuditResult) -> tuple[str, ...]:
    """Return a sentence for each part that the report leaves out, and for what waits."""
    found = []
    if not has_labels(result):
        found.append("No labels: the report says nothing about joins and quality.")
    elif not has_quality(result):
        found.append("Too few labelled probabilities for AUC and log loss over time.")
    if not result.learning:
        found.append("No learner has published a version from this stream's feedback.")
    if not result.performance.latency:
        found.append(f"No predictions by {' or '.join(result.route)}: there are no latencies.")
    if result.delivery.uninvited:
        models = ", ".join(result.delivery.uninvited)
        found.append(f"Models that are not on the route have answered, too: {models}.")
    if result.delivery.waiting:
        waiting = format_count(result.delivery.waiting)
        found.append(f"Requests that wait for a worker, not counted above: {waiting}.")
    if result.labels.waiting:
        waiting = format_count(result.labels.waiting)
        found.append(f"Labels that wait for the joiner or for their prediction: {waiting}.")
    return tuple(found)
