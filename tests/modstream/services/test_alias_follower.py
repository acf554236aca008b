"""Aliases that somebody moves beside a running learner, in a real registry."""

import pytest
from river import linear_model, optim

from modstream.errors import AnotherLearner
from modstream.models.registry.errors import RegistryUnavailable
from modstream.models.registry.refs import CHAMPION
from modstream.models.runtimes.river.artifact import pack
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.registry.access import open_registry
from modstream.services.candidates import candidate_note
from tests.modstream.services.candidate_registry import (
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
RECORDS = feedback_records(synthetic_events(1, 400))


@pytest.fixture
def settings(bootstrap, redis_url, prefix, tmp_path):
    settings = load_test_settings(bootstrap, redis_url, prefix, tmp_path)
    return settings.model_copy(update={"candidates": ()})


@pytest.fixture
def registry(settings):
    with open_registry(settings) as registry:
        publish_river(registry, CHAMPION, 0.05)
        yield registry


@pytest.fixture
def releases(settings, registry):
    """A learner without candidates, whose champion is version 3 with 100 learned rows."""
    releases = make_release_manager(settings, registry, RecordingPublisher())
    releases.announce_resumed()
    learn_and_publish(releases, 0, 50)
    learn_and_publish(releases, 50, 100)
    return releases


def learn_and_publish(releases, start, stop):
    releases.learn(RECORDS[start:stop])
    assert releases.publish()


def learned(card):
    return card.metrics["learned"]


def publish_by_hand(registry, *, names=("x", "y"), classes=(False, True)):
    """Publish a trained model, as an operator does."""
    model = linear_model.LogisticRegression(optimizer=optim.SGD(0.5))
    for _ in range(20):
        model.learn_one(dict.fromkeys(names, 1.0), True)
    spec = VersionSpec(
        name="m", runtime="river", task="binary", classes=classes, note="by hand",
        input_schema=InputSchema.of_floats(names),
    )  # fmt: skip
    return registry.publish(spec, pack(model))


def weights(learner):
    return dict(learner.runtime._model.weights)


def test_a_learner_continues_from_a_model_that_was_published_by_hand(releases, registry):
    by_hand = publish_by_hand(registry)

    learn_and_publish(releases, 100, 101)

    champion = registry.card("m")
    assert (champion.version, champion.parent) == (by_hand.version + 1, by_hand.version)
    assert champion.offsets == {"s.feedback:0": 101}
    assert weights(releases.lead.learner)["x"] > 1.0, "twenty rows with the label true"
    assert learned(champion) == 0, "what the former model had learned is not the new one's"


def test_a_model_published_by_hand_may_have_other_features_and_classes(releases, registry):
    publish_by_hand(registry, names=("x",), classes=("no", "yes"))

    learn_and_publish(releases, 100, 110)

    champion = registry.card("m")
    assert (champion.input_schema.names, champion.classes) == (("x",), ("no", "yes"))
    assert champion.offsets == {"s.feedback:0": 110}


def test_a_learner_leaves_the_alias_at_a_model_that_cannot_learn_and_says_so(releases, registry):
    frozen = publish_onnx(registry, CHAMPION, 1)

    learn_and_publish(releases, 100, 150)
    learn_and_publish(releases, 150, 200)

    assert registry.resolve("m") == frozen.version
    newest = registry.newest("m")
    assert (newest.parent, newest.version) == (frozen.version + 1, frozen.version + 2)
    assert learned(newest) == 200, "it goes on learning"
    assert releases.follower.problem == (
        f"the champion of m is version {frozen.version}, and no learner can continue from it (the"
        " runtime onnx cannot learn): versions are published without moving the champion until"
        " `modstream models promote m VERSION` moves it to one that can learn"
    )


def test_the_alias_is_the_learners_again_once_it_points_at_one_of_its_versions(releases, registry):
    publish_onnx(registry, CHAMPION, 1)
    learn_and_publish(releases, 100, 150)
    own = registry.newest("m")
    releases.learn(RECORDS[150:200])

    registry.promote("m", own.version)
    learn_and_publish(releases, 200, 250)

    assert releases.follower.problem == ""
    assert learned(registry.card("m")) == 250, "nothing that it has learned is given up"


def test_a_restarted_learner_does_not_move_the_alias_from_a_model_that_cannot_learn(
    settings, releases, registry
):
    frozen = publish_onnx(registry, CHAMPION, 1)

    again = make_release_manager(settings, registry, RecordingPublisher())
    again.announce_resumed()
    learn_and_publish(again, 100, 150)

    assert registry.resolve("m") == frozen.version
    assert learned(registry.newest("m")) == 150


def test_a_rollback_by_hand_gives_up_what_was_learned_since(releases, registry):
    learn_and_publish(releases, 100, 150)
    registry.rollback("m", reason="a drill")
    registry.rollback("m", reason="a drill")
    assert learned(registry.card("m")) == 50

    releases.follow_aliases()
    learn_and_publish(releases, 150, 160)

    champion = registry.card("m")
    assert (champion.parent, learned(champion)) == (2, 60)
    assert champion.offsets == {"s.feedback:0": 160}


def test_a_rollback_is_noticed_without_new_feedback(releases, registry):
    registry.rollback("m")

    releases.publish_metrics()

    assert releases.lead.learner.card.version == 2


def test_a_version_is_not_published_over_one_that_appeared_since_the_last_look(
    releases, registry, monkeypatch
):
    last_look = registry.aliases("m")
    by_hand = publish_by_hand(registry)
    releases.learn(RECORDS[100:110])

    with monkeypatch.context() as patch:
        patch.setattr(type(registry), "aliases", lambda *_: last_look)
        assert not releases.publish()
    assert registry.resolve("m") == by_hand.version

    assert releases.publish()
    assert registry.card("m").parent == by_hand.version


def test_a_version_whose_publish_had_no_reply_is_the_learners_own(releases, registry, monkeypatch):
    publish = type(registry).publish

    def lose_the_reply(*arguments, **options):
        publish(*arguments, **options)
        raise RegistryUnavailable("a drill")

    releases.learn(RECORDS[100:110])
    with monkeypatch.context() as patch:
        patch.setattr(type(registry), "publish", lose_the_reply)
        assert not releases.publish()
    learn_and_publish(releases, 110, 150)

    assert learned(registry.card("m")) == 150


def test_a_registry_that_has_lost_the_newest_version_costs_no_learned_row(releases, registry):
    """Redis can lose its last writes: here version 3, and the move of the alias to it."""
    keys, client = registry._keys, registry._client
    history = keys.history("m", CHAMPION)
    client.xdel(history, client.xrevrange(history, count=1)[0][0])
    client.hset(keys.aliases("m"), CHAMPION, "2")

    releases.follow_aliases()

    learner = releases.lead.learner
    assert (learner.card.version, learner.counts.learned) == (3, 100)
    learn_and_publish(releases, 100, 150)
    assert learned(registry.card("m")) == 150


def test_an_alias_of_a_version_that_does_not_exist_is_left_alone(releases, registry):
    registry._client.hset(registry._keys.aliases("m"), CHAMPION, "99")

    learn_and_publish(releases, 100, 150)

    assert registry.aliases("m")[CHAMPION] == 99
    assert learned(registry.newest("m")) == 150
    assert "the champion of m is version 99" in releases.follower.problem


def test_two_learners_of_one_model_do_not_overwrite_each_other(settings, releases, registry):
    other = make_release_manager(settings, registry, RecordingPublisher())
    other.announce_resumed()
    learn_and_publish(other, 100, 150)
    releases.learn(RECORDS[100:110])

    with pytest.raises(AnotherLearner, match="run one learner for each model, and stop the other"):
        releases.publish()

    assert learned(registry.card("m")) == 150


@pytest.fixture
def gated(bootstrap, redis_url, prefix, tmp_path):
    """A registry and a release manager of the candidates `slow`, which serves, and `quick`."""
    settings = load_test_settings(bootstrap, redis_url, f"{prefix}gated", tmp_path)
    with registry_of_two(settings) as registry:
        releases = make_release_manager(settings, registry, RecordingPublisher())
        releases.announce_resumed()
        learn_and_publish(releases, 0, 100)
        releases.publish_all()
        yield registry, releases


def test_a_candidate_that_is_promoted_by_hand_serves_with_all_that_it_has_learned(gated):
    registry, releases = gated
    releases.learn(RECORDS[100:150])
    releases._pending.append(make_decision("promote", "quick", "slow"))

    registry.promote("m", registry.resolve("m", "quick"))
    releases.follow_aliases()
    learn_and_publish(releases, 150, 200)
    releases.publish_all()

    champion = registry.card("m")
    assert (champion.note, learned(champion)) == (candidate_note("quick"), 200)
    assert registry.card("m", "slow").note == candidate_note("slow")
    assert learned(registry.card("m", "slow")) == 200
    assert releases.candidates.gate.champion == "quick"
    assert not releases._pending, "its evidence was against another champion"


def test_a_candidate_continues_from_a_version_published_under_its_own_alias(gated):
    registry, releases = gated
    by_hand = publish_river(registry, "quick", 0.5, note="by hand")

    releases.follow_aliases()
    releases.learn(RECORDS[100:150])
    releases.publish_all()

    assert registry.card("m", "quick").parent == by_hand.version
    assert registry.card("m").note == candidate_note("slow")


def test_the_gate_moves_no_alias_while_another_model_serves(gated):
    registry, releases = gated
    frozen = publish_onnx(registry, CHAMPION, 1)
    releases.follow_aliases()
    releases.candidates.decisions.append(make_decision("promote", "quick", "slow"))

    learn_and_publish(releases, 100, 150)
    releases.publish_all()

    assert registry.resolve("m") == frozen.version
    assert learned(registry.card("m", "slow")) == 150
    assert learned(registry.card("m", "quick")) == 150


def test_a_candidate_does_not_continue_from_a_model_with_other_classes(gated):
    registry, releases = gated
    publish_by_hand(registry, classes=("no", "yes"))

    releases.follow_aliases()

    assert "its classes are not those of the other candidates" in releases.follower.problem
