"""What the dashboard shows at one moment: plain values for templates and for JSON.

Times are ms since the epoch, UTC. A figure that is unknown is None, never NaN. Texts that clients
choose, such as ids, keys and names, are cut and printable. All tuples are bounded.
"""

from modstream.dashboard.snapshots.labels import (
    DeadLetterCause,
    DelayBucket,
    LabelsView,
    LetterExample,
    ReasonCount,
    VersionCoverage,
)
from modstream.dashboard.snapshots.models import (
    Coverage,
    Drift,
    ModelSummary,
    ModelView,
    QualityPoint,
    TimelineEntry,
    VersionView,
)
from modstream.dashboard.snapshots.monitoring import (
    CalibrationView,
    FeatureDriftView,
    FeatureSlices,
    InputDriftView,
    MonitoringView,
    ReliabilityPoint,
    SliceView,
)
from modstream.dashboard.snapshots.pipelines import (
    PipelineView,
    StepView,
    StoredPredictions,
    StoredVersion,
)
from modstream.dashboard.snapshots.request import (
    FactKind,
    RequestView,
    TraceFact,
)
from modstream.dashboard.snapshots.stream import (
    HealthView,
    History,
    Member,
    PartitionLag,
    Problem,
    ServiceView,
    Severity,
    StreamSeries,
    StreamTotals,
    StreamView,
)
from modstream.dashboard.snapshots.values import (
    Band,
    Scalar,
)

__all__ = [
    "Band",
    "CalibrationView",
    "Coverage",
    "DeadLetterCause",
    "DelayBucket",
    "Drift",
    "FactKind",
    "FeatureDriftView",
    "FeatureSlices",
    "HealthView",
    "History",
    "InputDriftView",
    "LabelsView",
    "LetterExample",
    "Member",
    "ModelSummary",
    "ModelView",
    "MonitoringView",
    "PartitionLag",
    "PipelineView",
    "Problem",
    "QualityPoint",
    "ReasonCount",
    "ReliabilityPoint",
    "RequestView",
    "Scalar",
    "ServiceView",
    "Severity",
    "SliceView",
    "StepView",
    "StoredPredictions",
    "StoredVersion",
    "StreamSeries",
    "StreamTotals",
    "StreamView",
    "TimelineEntry",
    "TraceFact",
    "VersionCoverage",
    "VersionView",
]
