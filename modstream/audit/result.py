"""The result of a stream audit: all numbers, and whether the stream is sound."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel

from modstream.audit.candidates import CandidateQuality
from modstream.audit.decisions import GateDecision, gate_decisions
from modstream.audit.delivery import DeliveryAudit, audit_delivery
from modstream.audit.labels import LabelAudit, audit_labels
from modstream.audit.latency import Performance, measure_performance
from modstream.audit.learning import LearningAudit, audit_learning
from modstream.audit.monitoring import StreamMonitoring, monitor_stream
from modstream.audit.quality import ModelQuality, measure_quality
from modstream.audit.scored_predictions import score_model
from modstream.audit.stream_audit import StreamAudit
from modstream.models.evaluation.monitoring.model_monitoring import MonitoringSettings


@dataclass(frozen=True, slots=True)
class AuditResult:
    """The result of one stream's audit.

    `malformed` counts, by topic, the records that violate the contract of their topic.
    """

    stream: str
    route: tuple[str, ...]
    delivery: DeliveryAudit
    labels: LabelAudit
    learning: tuple[LearningAudit, ...]
    quality: tuple[ModelQuality, ...]
    monitoring: StreamMonitoring
    decisions: tuple[GateDecision, ...]
    performance: Performance
    malformed: Mapping[str, int]
    candidates: tuple[CandidateQuality, ...] = ()

    @property
    def faults(self) -> dict[str, int]:
        """The faults that were found, with their counts."""
        found = self.delivery.faults() | self.labels.faults()
        for one in self.learning:
            found |= one.faults()
        found |= {f"malformed records in {topic}": count for topic, count in self.malformed.items()}
        return {fault: number for fault, number in found.items() if number}

    @property
    def is_sound(self) -> bool:
        """Whether each request, label and learned row is accounted for exactly once."""
        return not self.faults


def evaluate(audit: StreamAudit, monitoring: MonitoringSettings | None = None) -> AuditResult:
    """Compute the result of an audit; `monitoring` says what is monitored of its models."""
    scored = {model: score_model(audit, model) for model in audit.route}
    # A label that cannot be decoded is a fault of its sender; the joiner counts it.
    malformed = {t: n for t, n in audit.anomalies.malformed.items() if t != audit.topics.labels}
    return AuditResult(
        stream=audit.topics.stream,
        route=audit.route,
        delivery=audit_delivery(audit),
        labels=audit_labels(audit),
        learning=audit_learning(audit),
        quality=measure_quality(audit, scored),
        monitoring=monitor_stream(audit, scored, monitoring),
        decisions=gate_decisions(audit.events.decisions),
        performance=measure_performance(audit),
        malformed=malformed,
        candidates=audit.events.candidates.quality(audit.route),
    )


def to_json(result: AuditResult) -> str:
    """Return the result as a JSON document; undefined numbers are null."""
    document = {"sound": result.is_sound, "faults": result.faults, **asdict(result)}
    return json.dumps(_replace_non_finite(document), indent=2)


def _replace_non_finite(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, BaseModel):
        return _replace_non_finite(value.model_dump())
    if isinstance(value, dict):
        return {key: _replace_non_finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_non_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
