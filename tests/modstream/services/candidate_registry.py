"""A registry with two candidates of one model, and helpers to publish more of them."""

from contextlib import contextmanager
from functools import partial

from river import linear_model, optim

from modstream.broker.wire.model_contracts import DecisionEvidence
from modstream.models.runtimes.river.artifact import pack
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.processors.promote.decision import Decision
from modstream.registry.access import open_registry
from modstream.services.alias_follower import AliasFollower
from modstream.services.candidates import load_model, resume
from modstream.services.release_manager import ReleaseManager
from modstream.services.version_publisher import VersionPublisher
from modstream.settings import load_settings
from tests.models.constant_model import constant_onnx_artifact

SCHEMA = InputSchema.of_floats(["x", "y"])


def load_test_settings(bootstrap, redis_url, prefix, home):
    """Return settings with the candidates `slow` and `quick` of the model `m`."""
    return load_settings(
        bootstrap=bootstrap,
        redis=redis_url,
        prefix=prefix,
        stream="s",
        home=home,
        route=("m",),
        candidates=("slow", "quick"),
        publish={"min_interval_seconds": 0.05},
    )


@contextmanager
def registry_of_two(settings):
    """Open a registry in which `slow` is version 1 and champion, and `quick` is version 2."""
    with open_registry(settings) as registry:
        publish_river(registry, "slow", 0.0001)
        publish_river(registry, "quick", 0.05)
        registry.promote("m", 1)
        yield registry


def publish_river(registry, alias, rate, **fields):
    """Publish an untrained logistic regression."""
    spec = VersionSpec(
        name="m",
        runtime="river",
        task="binary",
        classes=(False, True),
        input_schema=SCHEMA,
        **fields,
    )
    model = linear_model.LogisticRegression(optimizer=optim.SGD(rate))
    return registry.publish(spec, pack(model), alias=alias)


def publish_onnx(registry, alias, number):
    """Publish a batch model with a constant prediction."""
    spec = VersionSpec(
        name="m",
        runtime="onnx",
        task="binary",
        classes=(False, True),
        input_schema=InputSchema.of_floats(["x"]),
    )
    return registry.publish(spec, constant_onnx_artifact(number), alias=alias)


class RecordingPublisher(list):
    """A publisher that only records what is sent."""

    def send(self, record):
        self.append(record)

    def flush(self, timeout):
        """Everything is acknowledged."""


def make_release_manager(settings, registry, publisher):
    candidates = resume(settings, registry, "m")
    publishers = {
        name: VersionPublisher(registry, publisher, learner, settings.topics(), name)
        for name, learner in candidates.learners.items()
    }
    follower = AliasFollower(registry, candidates, partial(load_model, settings, registry))
    return ReleaseManager(registry, candidates, publishers, follower)


def make_decision(action, candidate, champion):
    """Return a decision of the gate."""
    evidence = DecisionEvidence(
        candidate=candidate, champion=champion, window=500, count=400, champion_loss=0.2,
        candidate_loss=0.1, bound=0.05, alpha=0.01,
    )  # fmt: skip
    return Decision(action, evidence)
