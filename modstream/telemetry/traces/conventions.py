"""All names in spans: OpenTelemetry's semantic conventions, and modstream's own attributes.

The messaging conventions are those of version 1.44, whose status is Development: they may change
(https://opentelemetry.io/docs/specs/semconv/messaging/). There are none for predictions.
"""

SCOPE = MODSTREAM = "modstream"
"""The name of the instrumentation scope, and the name space of the services."""
SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"

SERVICE_NAME = "service.name"
SERVICE_NAMESPACE = "service.namespace"
SERVICE_INSTANCE_ID = "service.instance.id"
SERVICE_VERSION = "service.version"

ERROR_TYPE = "error.type"
HTTP_METHOD = "http.request.method"
HTTP_ROUTE = "http.route"
HTTP_STATUS = "http.response.status_code"
RPC_SYSTEM = "rpc.system.name"
RPC_METHOD = "rpc.method"

MESSAGING_SYSTEM = "messaging.system"
KAFKA = "kafka"
OPERATION_NAME = "messaging.operation.name"
OPERATION_TYPE = "messaging.operation.type"
SEND, PROCESS = "send", "process"
"""The operations, which are their own types."""
DESTINATION = "messaging.destination.name"
PARTITION = "messaging.destination.partition.id"
CONSUMER_GROUP = "messaging.consumer.group.name"
BATCH_SIZE = "messaging.batch.message_count"
OFFSET = "messaging.kafka.offset"

STREAM = "modstream.stream"
REQUEST_ID = "modstream.request.id"
MODEL_NAME = "modstream.model.name"
MODEL_VERSION = "modstream.model.version"
MODELS = "modstream.models"
"""All versions that a batch asked, each as `name/version`."""
OUTCOME = "modstream.outcome"
"""What became of a call: `prediction`, `worker_error`, `ticket`, or the code of an error."""
LABELS = "modstream.labels"
"""Number of labels in a call."""
FAILED_DELIVERIES = "modstream.failed_deliveries"
"""Number of deliveries that failed before this batch was delivered."""


def span_name(operation: str, destination: str) -> str:
    """Return the name of a span of messaging."""
    return f"{operation} {destination}"
