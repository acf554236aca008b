"""Versions that are slow or harmful cost their own requests an error, and no others."""

import time
from dataclasses import replace
from threading import Event

import pytest
from structlog.testing import capture_logs

from modstream.models.errors import (
    LoadTimedOut,
    ModelLoading,
    TrialFailed,
    UntrustedModel,
    VersionSetAside,
)
from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.registry import Registry
from modstream.models.runtimes.mean.artifact import MeanPart, mean_spec, pack
from modstream.models.runtimes.river.runtime import RiverRuntime
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import TrialRecord
from modstream.models.security.signing import SigningKey, Trust
from modstream.models.serving.model_cache import ModelCache
from modstream.models.serving.settings import ModelCacheSettings
from tests.models.constant_model import (
    constant_artifact,
    constant_spec,
    publish_constant,
    served_constant,
)
from tests.models.timing import ManualClock, eventually

pytestmark = pytest.mark.real

WAIT_SECONDS = 0.3
SETTINGS = ModelCacheSettings(poll_seconds=0.1, first_load_wait_seconds=WAIT_SECONDS)
PASSED = TrialRecord(rows=1, load_seconds=0, row_seconds=0, batch_seconds=0)


class Trials:
    """Trials that last until they are let go; those of models named "bad" fail."""

    def __init__(self):
        self.go_on = {}
        self.tried, self.prepared = [], []

    def hold(self, name):
        self.go_on[name] = Event()

    def prepare(self, runtime):
        self.prepared.append(runtime)

    def wait_until_ready(self, runtime):
        assert runtime in self.prepared

    def run(self, card, artifact, warm_up_rows):
        self.tried.append((card.name, card.version))
        self.go_on.get(card.name, _open()).wait(20)
        if card.name == "bad":
            raise TrialFailed("bad", "it never ends")


def _open():
    event = Event()
    event.set()
    return event


@pytest.fixture
def trials():
    trials = Trials()
    yield trials
    for event in trials.go_on.values():
        event.set()


@pytest.fixture
def cache(registry, trials):
    publish_constant(registry, 1, name="good")
    with ModelCache(registry, Trust(), SETTINGS, trials=trials) as cache:
        cache.load("good")
        yield cache


def seconds(call):
    started = time.monotonic()
    call()
    return time.monotonic() - started


def is_loading(cache, name, ref="champion"):
    try:
        cache.get(name, ref)
    except ModelLoading:
        return True
    return False


def test_the_libraries_of_a_published_model_are_imported_ahead(registry, cache, trials):
    cache.import_ahead()
    assert eventually(lambda: trials.prepared == ["river"])

    publish_constant(registry, 2, name="other")
    registry.publish(constant_spec("new", 1, "onnx"), b"not asked for yet")

    assert eventually(lambda: trials.prepared == ["river", "onnx"])


def test_a_model_that_was_just_published_is_loaded_before_its_first_request(registry, cache):
    publish_constant(registry, 2, name="new")

    assert eventually(lambda: cache.versions.get(("new", "champion")) == 1)


def test_a_published_model_that_would_evict_others_waits_for_its_first_request(registry, trials):
    first = publish_constant(registry, 1, name="good")
    settings = replace(SETTINGS, max_bytes=first.size + 1)
    with ModelCache(registry, Trust(), settings, trials=trials) as cache:
        cache.load("good")
        publish_constant(registry, 2, name="new")
        publish_constant(registry, 3, name="good")
        assert eventually(lambda: cache.versions.get(("good", "champion")) == 2)

        assert ("new", "champion") not in cache.versions
        assert served_constant(cache.load("new")) == 2


def test_the_first_request_for_a_quick_model_is_answered(registry, cache):
    publish_constant(registry, 2, name="new")

    assert served_constant(cache.get("new")) == 2


def test_a_slow_model_gets_its_own_error_and_holds_up_no_other(registry, cache, trials):
    publish_constant(registry, 2, name="slow")
    trials.hold("slow")

    with pytest.raises(ModelLoading, match="the champion of slow is being loaded; try again"):
        cache.get("slow")
    assert seconds(lambda: is_loading(cache, "slow")) < WAIT_SECONDS / 3
    assert seconds(lambda: cache.get("good")) < 0.05

    trials.go_on["slow"].set()
    assert eventually(lambda: not is_loading(cache, "slow"))
    assert served_constant(cache.get("slow")) == 2
    assert trials.tried.count(("slow", 1)) == 1


def test_many_slow_references_together_cost_little_more_than_one(registry, cache, trials):
    names = [f"slow-{number}" for number in range(30)]
    for name in names:
        publish_constant(registry, 1, name=name)
        trials.hold(name)

    took = seconds(lambda: [is_loading(cache, name) for name in names])

    assert took < 2 * WAIT_SECONDS


def test_a_model_that_fails_its_trial_is_refused_and_remembered(registry, trials):
    clock = ManualClock()
    cache = ModelCache(registry, Trust(), SETTINGS, clock, trials=trials)
    publish_constant(registry, 1, name="bad")

    for pause in (0, 2, 27, 2, 30):
        clock.now += pause
        with pytest.raises(TrialFailed, match="bad fails its trial: it never ends"):
            cache.load("bad")

    assert len(trials.tried) == 2
    assert cache.problems == {("bad", "champion"): "bad fails its trial: it never ends"}


def test_a_load_that_does_not_end_in_this_process_is_given_up(registry, trials):
    settings = ModelCacheSettings(first_load_wait_seconds=0.01, load_limit_seconds=0.1)
    cache = ModelCache(registry, Trust(), settings, trials=trials)
    publish_constant(registry, 1, name="slow")
    publish_constant(registry, 2, name="other")
    for name in [f"slow-{number}" for number in range(settings.parallel_loads)]:
        publish_constant(registry, 1, name=name)
        trials.hold(name)
        assert is_loading(cache, name)
    assert is_loading(cache, "other")  # it waits for its turn

    def is_given_up():
        try:
            cache.get("slow-0")
        except LoadTimedOut as error:
            return "the champion of slow-0 was not loaded within 0.2 s" in str(error)
        except ModelLoading:
            return False
        raise AssertionError

    assert eventually(is_given_up)
    assert ("slow-0", "champion") in cache.problems
    cache.refresh()
    assert eventually(lambda: not is_loading(cache, "other"))


def test_a_slow_version_delays_neither_the_old_one_nor_other_models(registry, cache, trials):
    publish_constant(registry, 1, name="slow")
    cache.load("slow")
    trials.hold("slow")

    publish_constant(registry, 2, name="slow")
    assert eventually(lambda: ("slow", 2) in trials.tried)
    publish_constant(registry, 2, name="good")

    assert eventually(lambda: served_constant(cache.get("good")) == 2, seconds=1.0)
    assert served_constant(cache.get("slow")) == 1
    trials.go_on["slow"].set()
    assert eventually(lambda: served_constant(cache.get("slow")) == 2)


def test_an_alias_that_moves_during_a_load_reaches_its_last_version(registry, trials):
    publish_constant(registry, 1, name="slow")
    settings = ModelCacheSettings(poll_seconds=60)
    with ModelCache(registry, Trust(), settings, trials=trials) as cache:
        cache.load("slow")
        trials.hold("slow")
        publish_constant(registry, 2, name="slow")
        assert eventually(lambda: ("slow", 2) in trials.tried)

        publish_constant(registry, 3, name="slow")
        time.sleep(0.3)  # the notification arrives while version 2 is being loaded
        trials.go_on["slow"].set()

        assert eventually(lambda: served_constant(cache.get("slow")) == 3)


def test_a_required_model_is_loaded_without_a_request_once_it_can_be(registry, trials):
    registry.publish(constant_spec("m", 1), b"not a model")
    with ModelCache(registry, Trust(), SETTINGS, trials=trials) as cache:
        cache.require(["m", "later"])
        assert eventually(lambda: ("m", "champion") in cache.problems)
        assert "cannot be read" in cache.problems["m", "champion"]

        publish_constant(registry, 2, name="m")
        publish_constant(registry, 3, name="later")

        assert eventually(lambda: len(cache.versions) == 2)
        assert cache.problems == {}


def test_a_bad_new_version_is_a_problem_until_the_alias_moves_away(registry, cache):
    registry.publish(constant_spec("good", 2), b"not a model")
    assert eventually(lambda: ("good", "champion") in cache.problems)
    assert served_constant(cache.get("good")) == 1

    registry.rollback("good")

    assert eventually(lambda: cache.problems == {})


def test_a_bad_version_that_is_asked_for_by_number_is_no_problem(registry, cache):
    registry.publish(constant_spec("good", 2), b"not a model", alias=None)

    with pytest.raises(Exception, match="cannot be read"):
        cache.load("good", 2)

    assert cache.problems == {}


def test_a_version_that_was_learned_from_a_loaded_one_needs_no_trial(registry, cache, trials):
    learned = constant_spec("good", 2).model_copy(update={"parent": 1})
    registry.publish(learned, constant_artifact(2))
    assert eventually(lambda: served_constant(cache.get("good")) == 2)

    other = learned.model_copy(update={"task": "anomaly", "classes": (), "parent": 2})
    registry.publish(other, constant_artifact(3))

    assert eventually(lambda: ("good", 3) in trials.tried)
    assert trials.tried == [("good", 1), ("good", 3)]


def test_a_mean_that_follows_a_loaded_one_is_not_tried(registry, cache, trials):
    def publish(number, parent):
        card = constant_spec("part", number).make_card(1, Artifact(constant_artifact(number)))
        parts = [MeanPart(card, constant_artifact(number))]
        spec = mean_spec("blend", parts).model_copy(update={"parent": parent})
        return registry.publish(spec, pack(parts))

    publish(1, None)
    cache.get("blend")
    publish(2, 1)

    assert eventually(lambda: cache.get("blend").card.version == 2)
    assert trials.tried == [("good", 1), ("blend", 1)]


@pytest.mark.parametrize(
    ("record", "is_signed", "is_tried"),
    [(PASSED, True, False), (None, True, True), (PASSED, False, True)],
)
def test_only_a_trusted_signature_vouches_for_a_trial(
    redis_url, prefix, trials, record, is_signed, is_tried
):
    key = SigningKey.generate()
    trust = Trust([key.public_key]) if is_signed else Trust()
    with Registry(redis_url, RegistrySettings(prefix=prefix), key) as registry:
        spec = constant_spec("m", 1).model_copy(update={"trial": record})
        registry.publish(spec, constant_artifact(1))

        cache = ModelCache(registry, trust, SETTINGS, trials=trials)

        assert served_constant(cache.load("m")) == 1
        assert trials.tried == ([("m", 1)] if is_tried else [])


def test_nothing_untrusted_is_tried(redis_url, prefix, trials):
    with Registry(redis_url, RegistrySettings(prefix=prefix)) as registry:
        publish_constant(registry, 1)
        cache = ModelCache(
            registry, Trust([SigningKey.generate().public_key]), SETTINGS, trials=trials
        )

        with pytest.raises(UntrustedModel):
            cache.load("flights")

    assert trials.tried == []


def test_a_version_that_was_evicted_is_not_tried_again(registry, trials):
    sizes = [publish_constant(registry, 1, name=name).size for name in ("a", "b")]
    settings = ModelCacheSettings(max_bytes=max(sizes))
    cache = ModelCache(registry, Trust(), settings, trials=trials)

    for name in ("a", "b", "a"):
        cache.load(name)

    assert trials.tried == [("a", 1)]  # both have the same artifact


def test_a_version_that_hangs_again_and_again_is_set_aside(registry, trials, monkeypatch):
    clock = ManualClock()
    cache = ModelCache(registry, Trust(), SETTINGS, clock, trials=trials)
    publish_constant(registry, 1, name="m")
    cache.load("m")
    monkeypatch.setattr(RiverRuntime, "is_exhausted", True, raising=False)

    with capture_logs() as logs, pytest.raises(VersionSetAside, match="version 1 of m was set as"):
        cache.get("m")
    clock.now += 29
    with pytest.raises(VersionSetAside):
        cache.load("m")
    monkeypatch.undo()
    clock.now += 2

    assert served_constant(cache.load("m")) == 1
    assert [entry["event"] for entry in logs] == ["model set aside"]
    assert trials.tried == [("m", 1)]
