"""Versions of a mean in a real registry: when they are published, and under which alias."""

import numpy as np
import pytest

from modstream.broker.wire.codec import decode
from modstream.broker.wire.model_contracts import ModelEvent
from modstream.models.errors import NotConvertible
from modstream.models.registry.refs import CHAMPION
from modstream.models.runtimes.mean.artifact import unpack
from modstream.models.runtimes.mean.combination import combine
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.processors.learn.publish_throttle import PublishSettings, PublishThrottle
from modstream.processors.learn.settings import MeanSettings
from modstream.services.candidates import candidate_note, load_model, resume, updated_batch_models
from modstream.services.mean_publisher import MeanPublisher
from modstream.settings import load_settings
from tests.models.constant_model import constant_onnx_artifact
from tests.modstream.services.candidate_registry import (
    SCHEMA,
    RecordingPublisher,
    load_test_settings,
    make_decision,
    make_release_manager,
    publish_onnx,
    publish_river,
    registry_of_two,
)
from tests.processors.promote.synthetic_stream import feedback_records, synthetic_events

pytestmark = pytest.mark.real
INTERVAL_SECONDS = 5.0


@pytest.fixture
def settings(bootstrap, redis_url, prefix, tmp_path):
    found = load_test_settings(bootstrap, redis_url, prefix, tmp_path)
    means = {"mean": MeanSettings(("slow", "batch"), (1.0, 3.0))}
    changes = {"candidates": ("slow", "batch", "mean"), "means": means}
    return found.model_copy(update=changes)


@pytest.fixture
def registry(settings):
    with registry_of_two(settings) as registry:
        publish_onnx(registry, "batch", 1)
        yield registry


@pytest.fixture
def sent():
    return RecordingPublisher()


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def releases(settings, registry, sent, clock):
    return start(settings, registry, sent, clock)


def start(settings, registry, sent, clock):
    """Return the releases of a learner that starts now."""
    releases = make_release_manager(settings, registry, sent)
    throttle = PublishThrottle(PublishSettings(INTERVAL_SECONDS, 1.0), clock)
    mean = MeanPublisher(registry, releases.candidates, "mean", releases.lead, throttle)
    releases.means = {"mean": mean}
    releases.find_batch_updates = lambda frozen: updated_batch_models(
        settings, registry, "m", frozen
    )
    releases.announce_resumed()
    return releases


def parts_of(card):
    return {part.candidate: part.version for part in card.parts}


def learn(releases, start, stop):
    releases.learn(feedback_records(synthetic_events(1, stop))[start:])


def publish(releases):
    """Publish what is due, as a learner does between two batches."""
    is_published = releases.publish()
    releases.publish_means()
    return is_published


def test_a_learner_publishes_a_mean_that_has_no_version_yet(releases, registry, sent):
    assert releases.means["mean"].is_behind()

    publish(releases)

    card = registry.card("m", "mean")
    assert (card.runtime, card.note) == ("mean", candidate_note("mean"))
    assert parts_of(card) == {"slow": 1, "batch": 3}
    assert card.input_schema == SCHEMA
    assert registry.resolve("m") == 1
    events = [decode(ModelEvent, one.value) for one in sent if one.topic.endswith("model-events")]
    assert (card.version, "mean") in [(event.version, event.alias) for event in events]
    assert not releases.means["mean"].is_behind()


def test_a_version_answers_with_the_mean_of_the_versions_that_it_names(
    releases, registry, settings
):
    learn(releases, 0, 100)
    publish(releases)
    card = registry.card("m", "mean")
    batch = SCHEMA.parse_rows([{"x": 1.0, "y": 2.0}, {"x": -1.0, "y": 0.5}]).batch

    found = load_model(settings, registry, card).runtime.predict(batch)

    parts = [registry.card("m", one.version) for one in card.parts]
    outputs = [load_model(settings, registry, one).runtime.predict(batch) for one in parts]
    np.testing.assert_array_equal(found, combine("binary", outputs, [1, 3]))
    packed = unpack(registry.artifact(card).content)
    assert [one.content for one in packed] == [registry.artifact(one).content for one in parts]


def test_a_mean_follows_its_parts_at_most_once_in_its_interval(releases, registry, clock):
    publish(releases)
    first = registry.resolve("m", "mean")
    learn(releases, 0, 100)

    publish(releases)
    learned = registry.resolve("m")
    assert registry.resolve("m", "mean") == first
    clock.now += INTERVAL_SECONDS
    publish(releases)

    card = registry.card("m", "mean")
    assert card.parent == first
    assert parts_of(card) == {"slow": learned, "batch": 3}


def test_a_refitted_batch_model_is_taken_over_by_the_mean(releases, registry, clock):
    publish(releases)
    refitted = publish_onnx(registry, "batch", 2)
    clock.now += INTERVAL_SECONDS

    releases.publish_metrics()
    publish(releases)

    assert releases.candidates.frozen["batch"].card.version == refitted.version
    assert parts_of(registry.card("m", "mean"))["batch"] == refitted.version


def test_a_promoted_mean_is_published_as_the_champion(releases, registry, clock):
    publish(releases)
    learn(releases, 0, 100)
    promote(releases, "mean", "slow")

    publish(releases)

    champion = registry.card("m")
    assert champion.note == candidate_note("mean")
    assert parts_of(champion)["slow"] == registry.resolve("m", "slow")
    learn(releases, 100, 200)
    publish(releases)
    clock.now += INTERVAL_SECONDS
    for _ in range(10):  # challengers are published once in ten rounds
        publish(releases)
        clock.now += INTERVAL_SECONDS
    assert registry.card("m").parent == champion.version
    assert registry.card("m", "slow").metrics["learned"] == 200


def test_a_mean_whose_newest_version_has_its_parts_moves_the_alias_to_that(releases, registry):
    publish(releases)
    version = registry.resolve("m", "mean")

    assert releases.means["mean"].publish(CHAMPION, expected=1, reason="better")

    assert registry.resolve("m") == version
    assert registry.newest("m").version == version
    assert registry.moves("m", CHAMPION)[-1].reason == "better"


def test_a_mean_that_no_longer_serves_is_published_under_its_own_alias(releases, registry):
    publish(releases)
    promote(releases, "mean", "slow")
    publish(releases)
    served = registry.resolve("m")
    promote(releases, "slow", "mean")

    publish(releases)

    assert registry.card("m").note == candidate_note("slow")
    assert registry.resolve("m", "mean") == served


def test_a_learner_that_starts_again_goes_on_with_the_mean_that_serves(
    releases, registry, settings, sent, clock
):
    publish(releases)
    promote(releases, "mean", "slow")
    publish(releases)
    served = registry.card("m")

    again = start(settings, registry, sent, clock)

    assert again.candidates.gate.champion == "mean"
    assert again.candidates.means["mean"].published.card == served
    assert publish(again)
    assert registry.card("m") == served


def test_a_mean_that_cannot_be_read_is_made_anew(releases, registry, settings, sent, clock):
    publish(releases)
    promote(releases, "mean", "slow")
    publish(releases)
    served = registry.card("m")
    fields = served.model_dump(include=set(VersionSpec.model_fields))
    broken = registry.publish(VersionSpec(**fields), b"damaged")

    again = start(settings, registry, sent, clock)
    assert again.candidates.gate.champion == "mean"
    publish(again)

    champion = registry.card("m")
    assert champion.version > broken.version
    assert parts_of(champion) == parts_of(served)


def test_an_earlier_version_of_a_mean_to_which_an_operator_rolls_back_is_left_alone(
    releases, registry, clock
):
    publish(releases)
    promote(releases, "mean", "slow")
    publish(releases)
    publish_onnx(registry, "batch", 2)
    clock.now += INTERVAL_SECONDS
    releases.publish_metrics()
    publish(releases)
    assert len(registry.moves("m", CHAMPION)) == 3

    earlier = registry.rollback("m")
    publish_onnx(registry, "batch", 5)
    clock.now += INTERVAL_SECONDS
    releases.publish_metrics()
    publish(releases)

    assert registry.card("m") == earlier
    assert "an earlier version of mean" in releases.follower.problem
    assert parts_of(registry.card("m", "mean"))["batch"] == registry.resolve("m", "batch")


def test_a_batch_candidate_that_serves_is_replaced_by_its_newer_version(releases, registry, sent):
    promote(releases, "batch", "slow")
    publish(releases)
    assert registry.resolve("m") == registry.resolve("m", "batch")

    refitted = publish_onnx(registry, "batch", 2)
    releases.publish_metrics()

    assert registry.resolve("m") == refitted.version
    assert releases.candidates.gate.champion == "batch"
    assert releases.candidates.gate.labels_in_term == 0
    events = [decode(ModelEvent, one.value) for one in sent if one.topic.endswith("model-events")]
    assert (events[-1].action, events[-1].version) == ("promote", refitted.version)
    releases.publish_metrics()
    assert registry.resolve("m") == refitted.version


def test_a_batch_candidate_that_was_refitted_while_no_learner_ran_serves_on(
    releases, registry, settings, sent, clock
):
    promote(releases, "batch", "slow")
    publish(releases)
    refitted = publish_onnx(registry, "batch", 2)

    again = start(settings, registry, sent, clock)
    assert again.candidates.gate.champion == "batch"
    again.publish_metrics()

    assert registry.resolve("m") == refitted.version
    assert again.follower.problem == ""


def test_a_batch_candidate_that_an_operator_rolled_back_stays(
    releases, registry, settings, sent, clock
):
    promote(releases, "batch", "slow")
    publish(releases)
    served = registry.resolve("m")
    publish_onnx(registry, "batch", 2)
    releases.publish_metrics()
    assert registry.rollback("m").version == served

    releases.publish_metrics()
    assert registry.resolve("m") == served
    again = start(settings, registry, sent, clock)
    again.publish_metrics()

    assert registry.resolve("m") == served


def test_parts_without_a_mean_stop_the_learner_at_its_start(settings, registry):
    schema = InputSchema.of_floats(["x"])
    spec = VersionSpec(
        name="m", runtime="onnx", task="binary", classes=("no", "yes"), input_schema=schema
    )
    registry.publish(spec, constant_onnx_artifact(1), alias="batch")

    with pytest.raises(NotConvertible, match="other classes"):
        resume(settings, registry, "m")


@pytest.mark.parametrize(
    ("mean", "reason"),
    [
        ({"parts": ["slow", "other"]}, "the part other must be another candidate"),
        ({"parts": ["slow", "mean"]}, "the part mean must be another candidate"),
        ({"parts": []}, "one or more parts"),
        ({"parts": ["slow", "slow"]}, "each of them once"),
        ({"parts": ["slow"], "weights": [1, 2]}, "2 weights for 1 parts"),
        ({"parts": ["slow"], "weights": [0]}, "positive"),
    ],
)
def test_settings_of_a_mean_that_fit_no_candidates_are_refused(mean, reason):
    with pytest.raises(Exception, match=reason):
        load_settings(candidates=("slow", "mean"), means={"mean": mean})


def promote(releases, candidate, champion):
    """Let the gate decide for a candidate, as far as the release manager can see."""
    releases.candidates.gate.champion = candidate
    releases.candidates.decisions.append(make_decision("promote", candidate, champion))


def test_versions_of_other_candidates_are_not_means(releases, registry, settings, sent, clock):
    publish_river(registry, "mean", 0.1)

    again = start(settings, registry, sent, clock)
    publish(again)

    assert registry.card("m", "mean").runtime == "mean"
