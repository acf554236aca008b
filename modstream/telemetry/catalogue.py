"""All metrics that modstream exports.

Names and units follow Prometheus' rules, https://prometheus.io/docs/practices/naming/. The page
`docs/metrics.md` has the same tables, generated from this module.
"""

from collections.abc import Mapping
from types import MappingProxyType

from modstream.telemetry import learning_metrics, serving_metrics
from modstream.telemetry.metric_spec import MetricSpec

BUILD_INFO = MetricSpec(
    "modstream_build_info",
    "gauge",
    "1; the labels have the versions of modstream and Python.",
    ("version", "python"),
)
HEALTHY = MetricSpec(
    "modstream_healthy", "gauge", "Whether the latest health report is good (1) or not (0)."
)
LAG = MetricSpec(
    "modstream_lag_records",
    "gauge",
    "Offsets that wait in the partitions of this process; transaction markers are among them.",
)
PARTITION_LAG = MetricSpec(
    "modstream_partition_lag_records",
    "gauge",
    "Offsets that wait in one partition of this process; 0 is left out.",
    ("topic", "partition"),
    max_series=256,
)

COMMON = (BUILD_INFO, HEALTHY, LAG, PARTITION_LAG)
"""Metrics of every process; a retrainer and a gateway have no lag."""
BY_SERVICE: Mapping[str, tuple[MetricSpec, ...]] = MappingProxyType(
    {
        "worker": serving_metrics.WORKER,
        "joiner": learning_metrics.JOINER,
        "learner": learning_metrics.LEARNER,
        "retrainer": learning_metrics.RETRAINER,
        "calibrator": learning_metrics.CALIBRATOR,
        "aggregator": learning_metrics.AGGREGATOR,
        "materializer": serving_metrics.MATERIALIZER,
        "gateway": serving_metrics.GATEWAY,
    }
)
"""The further metrics of each service."""
