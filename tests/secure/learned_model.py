"""A model that learns from a few labels, for systems on secured servers."""

from time import monotonic

from river.linear_model import LogisticRegression

from modstream.models.runtimes.river.artifact import pack
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec
from tests.journeys.conftest import TIMEOUT_SECONDS

ROWS = [{"x0": number % 2 - 0.5} for number in range(20)]
"""The rows that are asked for; the label is whether `x0` is positive."""
FIELDS = {"runtime": "river", "task": "binary", "classes": (False, True)}
SPEC = VersionSpec(name="bugs", input_schema=InputSchema.of_floats(["x0"]), **FIELDS)


def publish(system):
    """Publish the untrained model."""
    with system.registry() as registry:
        registry.publish(SPEC, pack(LogisticRegression()))


def wait_until_learned(system):
    """Wait until a version has learned the labels of all rows."""
    deadline = monotonic() + TIMEOUT_SECONDS
    with system.registry() as registry, registry.subscribe() as changes:
        while registry.card("bugs").metrics.get("learned", 0) < len(ROWS):
            assert monotonic() < deadline, "no version has learned all labels"
            changes.wait_for("bugs", 1.0)
