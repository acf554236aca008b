"""The metrics of what serves: workers, the materializer and the gateway."""

from modstream.telemetry.metric_spec import SECONDS, MetricSpec

MODEL_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5)
"""Buckets of a duration by model: fewer, since there is a histogram for each model."""
RECORDS = (1, 10, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
"""Buckets of the number of records in a batch."""

WORKER_REQUESTS = MetricSpec(
    "modstream_worker_requests_total",
    "counter",
    "Request records that were handled, and whose offsets are committed.",
)
WORKER_PRODUCED = MetricSpec(
    "modstream_worker_produced_records_total",
    "counter",
    "Records that were delivered: predictions, errors, dead letters, version markers.",
)
WORKER_BATCH_RECORDS = MetricSpec(
    "modstream_worker_batch_records",
    "histogram",
    "Request records in a delivered batch.",
    buckets=RECORDS,
)
WORKER_HANDLING = MetricSpec(
    "modstream_worker_handling_seconds",
    "histogram",
    "Time to handle a batch, from poll to the records to produce.",
    buckets=SECONDS,
)
WORKER_AGE = MetricSpec(
    "modstream_worker_request_age_seconds",
    "histogram",
    "Age of a batch's first request when its handling begins, by the time stamp of its record.",
    buckets=(*SECONDS, 30.0, 60.0, 300.0),
)
WORKER_DELIVERY = MetricSpec(
    "modstream_worker_delivery_seconds",
    "histogram",
    "Time to deliver a batch: produce, send offsets, commit.",
    buckets=SECONDS,
)
WORKER_MODEL_REQUESTS = MetricSpec(
    "modstream_worker_model_requests_total",
    "counter",
    "Requests that asked a model; names of models that were never loaded count as other.",
    ("model",),
)
WORKER_INFERENCE = MetricSpec(
    "modstream_worker_inference_seconds",
    "histogram",
    "Time that one model took for its requests of a batch, decoding and encoding included.",
    ("model",),
    MODEL_SECONDS,
)
WORKER_REFUSALS = MetricSpec(
    "modstream_worker_refusals_total",
    "counter",
    "Requests that got a typed error or became dead letters; a repeated batch counts again.",
    ("code",),
)
WORKER_DEAD_LETTERS = MetricSpec(
    "modstream_worker_dead_letters_total",
    "counter",
    "Requests that became dead letters; a repeated batch counts again.",
)
WORKER_SWAPS = MetricSpec(
    "modstream_worker_model_swaps_total",
    "counter",
    "Changes of a loaded reference to another version.",
    ("model",),
)
WORKER_SWAP_SECONDS = MetricSpec(
    "modstream_worker_model_load_seconds",
    "histogram",
    "Time to load the version of a swap, its trial included.",
    buckets=(*SECONDS, 30.0, 60.0),
)
WORKER_VERSION = MetricSpec(
    "modstream_worker_model_version",
    "gauge",
    "The version that a loaded alias serves now; a version number is a value, never a label.",
    ("model", "alias"),
    max_series=150,
)
WORKER_PROBLEMS = MetricSpec(
    "modstream_worker_model_problems",
    "gauge",
    "Aliases that point at a version which this worker cannot load.",
)

MATERIALIZER_WRITTEN = MetricSpec(
    "modstream_materializer_written_predictions_total",
    "counter",
    "Predictions that were written to the store.",
)
MATERIALIZER_BATCHES = MetricSpec(
    "modstream_materializer_batches_total", "counter", "Batches that were written to the store."
)
MATERIALIZER_SKIPPED = MetricSpec(
    "modstream_materializer_skipped_records_total",
    "counter",
    "Records that are not stored, by reason.",
    ("reason",),
)
MATERIALIZER_WAITING = MetricSpec(
    "modstream_materializer_store_unavailable",
    "gauge",
    "Whether the store is not available now (1) or is (0).",
)

GATEWAY_CALLS = MetricSpec(
    "modstream_gateway_calls_total",
    "counter",
    "Calls for predictions over HTTP and gRPC by outcome: prediction, worker_error, ticket, or the"
    " code of the gateway's error.",
    ("outcome",),
)
GATEWAY_ANSWER = MetricSpec(
    "modstream_gateway_answer_seconds",
    "histogram",
    "Time from a call to the reply of a model, typed errors included.",
    ("model",),
    (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0),
)
GATEWAY_RESPONSES = MetricSpec(
    "modstream_gateway_http_responses_total",
    "counter",
    "Responses over HTTP by status, early refusals left out.",
    ("status",),
)
GATEWAY_EARLY_REFUSALS = MetricSpec(
    "modstream_gateway_early_refusals_total",
    "counter",
    "Calls over HTTP that were refused with 429 before they were read, under overload.",
)
GATEWAY_IN_FLIGHT = MetricSpec(
    "modstream_gateway_in_flight_requests", "gauge", "Requests that wait for their answers."
)
GATEWAY_IN_FLIGHT_BYTES = MetricSpec(
    "modstream_gateway_in_flight_bytes", "gauge", "Size of the requests that wait."
)
GATEWAY_LIMIT = MetricSpec(
    "modstream_gateway_concurrency_limit_requests",
    "gauge",
    "Number of requests that may wait at present; it adapts to the latency.",
)
GATEWAY_SERVED = MetricSpec(
    "modstream_gateway_stream_served",
    "gauge",
    "Whether a stream has workers and Kafka answers (1) or not (0).",
    ("stream_name",),
)
TLS_EXPIRY = MetricSpec(
    "modstream_tls_certificate_expiry_timestamp_seconds",
    "gauge",
    "When the gateway's certificate ends, in seconds since the epoch; absent without TLS.",
)

WORKER_FEATURE_PARTIALS = MetricSpec(
    "modstream_worker_feature_partials",
    "gauge",
    "Partial aggregates of the stream's features that the worker has a copy of; on disk, an"
    " estimate.",
)
WORKER_FEATURE_BYTES = MetricSpec(
    "modstream_worker_feature_bytes",
    "gauge",
    "Bytes of that copy: estimated ones in memory, or those of its files.",
)

WORKER = (
    WORKER_FEATURE_PARTIALS,
    WORKER_FEATURE_BYTES,
    WORKER_REQUESTS,
    WORKER_PRODUCED,
    WORKER_BATCH_RECORDS,
    WORKER_HANDLING,
    WORKER_AGE,
    WORKER_DELIVERY,
    WORKER_MODEL_REQUESTS,
    WORKER_INFERENCE,
    WORKER_REFUSALS,
    WORKER_DEAD_LETTERS,
    WORKER_SWAPS,
    WORKER_SWAP_SECONDS,
    WORKER_VERSION,
    WORKER_PROBLEMS,
)
"""All metrics of a worker."""

MATERIALIZER = (
    MATERIALIZER_WRITTEN,
    MATERIALIZER_BATCHES,
    MATERIALIZER_SKIPPED,
    MATERIALIZER_WAITING,
)
"""All metrics of a materializer."""

GATEWAY = (
    GATEWAY_CALLS,
    GATEWAY_ANSWER,
    GATEWAY_RESPONSES,
    GATEWAY_EARLY_REFUSALS,
    GATEWAY_IN_FLIGHT,
    GATEWAY_IN_FLIGHT_BYTES,
    GATEWAY_LIMIT,
    GATEWAY_SERVED,
    TLS_EXPIRY,
)
"""All metrics of a gateway."""
