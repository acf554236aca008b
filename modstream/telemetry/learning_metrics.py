"""The metrics of what learns: joiner, learner, retrainer, calibrator and aggregator."""

from modstream.telemetry.metric_spec import MetricSpec

LABEL_DELAYS = (1, 10, 60, 600, 3600, 21_600, 43_200, 86_400, 172_800, 604_800)
"""Buckets of the delay of a label, in seconds: up to a week."""
DEVIATIONS = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0)
"""Buckets of a shift of a feature's mean, in its standard deviations."""

JOINER_ROWS = MetricSpec(
    "modstream_joiner_rows_total",
    "counter",
    "What became of predictions and labels, by the joiner's counters.",
    ("outcome",),
)
JOINER_DELAY = MetricSpec(
    "modstream_joiner_label_delay_seconds",
    "histogram",
    "Event time of a label minus that of its request; the sum is of the joiner's bucket bounds.",
    buckets=LABEL_DELAYS,
)
JOINER_OPEN = MetricSpec(
    "modstream_joiner_open_rows", "gauge", "Rows that wait for their label or their prediction."
)
JOINER_WAITING = MetricSpec(
    "modstream_joiner_waiting_labels", "gauge", "Labels that wait for their prediction."
)
JOINER_STATE = MetricSpec(
    "modstream_joiner_state_bytes", "gauge", "Size on disk of the rows that the joiner keeps."
)
JOINER_PREDICTED = MetricSpec(
    "modstream_joiner_version_predictions",
    "gauge",
    "Predictions by the versions of a model whose label coverage is followed.",
    ("model",),
)
JOINER_COVERAGE = MetricSpec(
    "modstream_joiner_label_coverage_ratio",
    "gauge",
    "Share of those predictions that have a label so far.",
    ("model",),
)

LEARNER_FEEDBACK = MetricSpec(
    "modstream_learner_feedback_records_total",
    "counter",
    "Feedback records that this process has read.",
)
LEARNER_OUTCOMES = MetricSpec(
    "modstream_learner_feedback_outcomes_total",
    "counter",
    "Feedback by outcome: learned, quarantined, repeated, revised, internal_errors, unscored.",
    ("outcome",),
)
LEARNER_VERSION = MetricSpec(
    "modstream_learner_published_version",
    "gauge",
    "The newest version that each candidate has published.",
    ("candidate",),
)
LEARNER_METRIC = MetricSpec(
    "modstream_learner_model_metric",
    "gauge",
    "Prequential metric of a model's predictions over the window of its latest labels.",
    ("model", "metric"),
    max_series=400,
)
LEARNER_WINDOW = MetricSpec(
    "modstream_learner_window_labels", "gauge", "Labels in that window.", ("model",)
)
LEARNER_LABELLED = MetricSpec(
    "modstream_learner_labelled_predictions",
    "gauge",
    "Predictions of a model that were scored since the process started.",
    ("model",),
)
LEARNER_SHIFT = MetricSpec(
    "modstream_learner_input_shift_deviations",
    "histogram",
    "Shifts of features' means that the drift monitor found, in standard deviations, unsigned.",
    buckets=DEVIATIONS,
)

RETRAINER_RECORDS = MetricSpec(
    "modstream_retrainer_records_total",
    "counter",
    "Records of feedback, metrics and events that were read.",
)
RETRAINER_RUNS = MetricSpec(
    "modstream_retrainer_runs_total",
    "counter",
    "Retrainings by outcome: published, rejected, not_trained, interrupted, failed, abandoned.",
    ("outcome",),
)
RETRAINER_SECONDS = MetricSpec(
    "modstream_retrainer_run_seconds",
    "histogram",
    "Time of a retraining.",
    buckets=(1, 5, 15, 60, 300, 900, 3600),
)
RETRAINER_ACTIVE = MetricSpec(
    "modstream_retrainer_running", "gauge", "Whether a retraining runs now (1) or not (0)."
)

CALIBRATOR_LABELS = MetricSpec(
    "modstream_calibrator_labels_total",
    "counter",
    "Labels of a model that its conformal threshold is made of.",
    ("model",),
)
CALIBRATOR_OUTCOMES = MetricSpec(
    "modstream_calibrator_outcomes_total",
    "counter",
    "Labels whose answer had a set or an interval, by whether they were inside or outside it.",
    ("model", "outcome"),
)
CALIBRATOR_COVERAGE = MetricSpec(
    "modstream_calibrator_target_coverage",
    "gauge",
    "Share of labels inside that is aimed at.",
    ("model",),
)
CALIBRATOR_LEVEL = MetricSpec(
    "modstream_calibrator_adaptive_level",
    "gauge",
    "Quantile of the scores that the threshold is now, after its adaptation; beyond 1 all labels"
    " are inside, below 0 none.",
    ("model",),
)
CALIBRATOR_WAITING = MetricSpec(
    "modstream_calibrator_store_unavailable",
    "gauge",
    "Whether Redis is not available now (1) or is (0).",
)

AGGREGATOR_EVENTS = MetricSpec(
    "modstream_aggregator_events_total", "counter", "Events that the stream's features count."
)
AGGREGATOR_UNREADABLE = MetricSpec(
    "modstream_aggregator_unreadable_total",
    "counter",
    "Records of the features' sources that could not be read and have no event.",
)
AGGREGATOR_PARTIALS = MetricSpec(
    "modstream_aggregator_partials",
    "gauge",
    "Partial aggregates that this process holds; on disk, an estimate.",
)
AGGREGATOR_BYTES = MetricSpec(
    "modstream_aggregator_state_bytes",
    "gauge",
    "Bytes of the partial aggregates: estimated ones in memory, or those of their files.",
)

JOINER = (
    JOINER_ROWS,
    JOINER_DELAY,
    JOINER_OPEN,
    JOINER_WAITING,
    JOINER_STATE,
    JOINER_PREDICTED,
    JOINER_COVERAGE,
)
"""All metrics of a joiner."""

LEARNER = (
    LEARNER_FEEDBACK,
    LEARNER_OUTCOMES,
    LEARNER_VERSION,
    LEARNER_METRIC,
    LEARNER_WINDOW,
    LEARNER_LABELLED,
    LEARNER_SHIFT,
)
"""All metrics of a learner."""

CALIBRATOR = (
    CALIBRATOR_LABELS,
    CALIBRATOR_OUTCOMES,
    CALIBRATOR_COVERAGE,
    CALIBRATOR_LEVEL,
    CALIBRATOR_WAITING,
)
"""All metrics of a calibrator."""

AGGREGATOR = (
    AGGREGATOR_EVENTS,
    AGGREGATOR_UNREADABLE,
    AGGREGATOR_PARTIALS,
    AGGREGATOR_BYTES,
)
"""All metrics of an aggregator."""

RETRAINER = (
    RETRAINER_RECORDS,
    RETRAINER_RUNS,
    RETRAINER_SECONDS,
    RETRAINER_ACTIVE,
)
"""All metrics of a retrainer."""
