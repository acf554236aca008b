import time

import pytest

from modstream.models.errors import ArtifactGone, ModelNotFound, NothingToRollBack, VersionConflict
from modstream.models.registry.registry import Registry, RegistrySettings
from tests.models.version_specs import artifacts, draft, publish

pytestmark = pytest.mark.real


def test_promotion_moves_an_alias_and_only_that(registry):
    publish(registry, 1)
    publish(registry, 2, alias="challenger")

    promoted = registry.promote("flights", 2, evidence="log-loss 0.48 < 0.49")

    assert promoted == registry.card("flights", "champion")
    assert registry.aliases("flights") == {"challenger": 2, "champion": 2}


def test_promoting_the_champion_again_changes_nothing(registry):
    publish(registry, 1)

    registry.promote("flights", 1)

    assert len(registry.history("flights")) == 1


def test_what_does_not_exist_cannot_be_promoted(registry):
    publish(registry, 1)

    with pytest.raises(ModelNotFound, match="2"):
        registry.promote("flights", 2)


def test_two_rollbacks_go_back_two_moves(registry):
    for number in range(3):
        publish(registry, number)

    back = [registry.rollback("flights").version, registry.rollback("flights").version]

    assert back == [2, 1]
    with pytest.raises(NothingToRollBack, match=r"alias 'champion' of flights has nothing to"):
        registry.rollback("flights")
    assert registry.resolve("flights") == 1


def test_a_version_that_was_rolled_back_is_not_gone_back_to(registry):
    publish(registry, 1)
    publish(registry, 2)
    registry.rollback("flights")
    publish(registry, 3)

    assert registry.rollback("flights").version == 1


def test_aliases_roll_back_apart(registry):
    publish(registry, 1)
    publish(registry, 2, alias="challenger")
    registry.promote("flights", 2)
    publish(registry, 3, alias="challenger")

    registry.rollback("flights", "champion")

    assert registry.aliases("flights") == {"challenger": 3, "champion": 1}


def test_a_rollback_whose_reply_was_lost_does_not_go_back_twice(registry):
    for number in range(3):
        publish(registry, number)

    cards = [
        registry._change("flights", "", lambda change: change.rollback("flights", "champion", 3))
        for _ in range(2)
    ]

    assert [card.version for card in cards] == [2, 2]
    assert registry.resolve("flights") == 2


def test_a_rollback_does_not_take_back_a_move_it_has_not_seen(registry):
    publish(registry, 1)
    publish(registry, 2)

    with pytest.raises(VersionConflict, match="stands at version 2"):
        registry._change("flights", "", lambda change: change.rollback("flights", "champion", 1))

    assert registry.resolve("flights") == 2


def test_history_tells_every_move_with_its_evidence(registry):
    before = time.time() - 5
    registry.publish(draft(offset=1), b"1", evidence="by learner-0")
    registry.publish(draft(offset=2), b"2", alias="challenger")
    registry.promote("flights", 2, evidence="gate passed")
    registry.rollback("flights", evidence="drift")

    history = registry.history("flights")

    moves = [(e.alias, e.action, e.old, e.new, e.evidence) for e in history]
    assert [move for move in moves if move[0] == "champion"] == [
        ("champion", "publish", None, 1, "by learner-0"),
        ("champion", "promote", 1, 2, "gate passed"),
        ("champion", "rollback", 2, 1, "drift"),
    ]
    assert ("challenger", "publish", None, 2, "") in moves
    assert len(moves) == 4
    assert all(before < entry.at.timestamp() < time.time() + 5 for entry in history)


def test_a_busy_challenger_leaves_the_champion_a_way_back(redis_url, prefix):
    settings = RegistrySettings(prefix=prefix, keep=2, remember=10)
    with Registry(redis_url, settings) as registry:
        publish(registry, 1)
        publish(registry, 2)
        for number in range(3, 250):
            publish(registry, number, alias="challenger")

        assert len(registry.history("flights")) < 150
        assert registry.rollback("flights").version == 1


def test_the_newest_artifacts_stay_and_every_card(registry):
    for number in range(6):
        publish(registry, number)

    assert artifacts(registry) == [4, 5, 6]
    assert [card.version for card in registry.versions("flights")] == [1, 2, 3, 4, 5, 6]
    with pytest.raises(ArtifactGone, match="version 1 is gone: retention kept only its card"):
        registry.artifact(registry.card("flights", 1))


def test_what_an_alias_points_at_or_can_go_back_to_stays(registry):
    publish(registry, 1)
    publish(registry, 2)
    for number in range(3, 10):
        publish(registry, number, alias="challenger")

    assert artifacts(registry) == [1, 2, 7, 8, 9]
    assert registry.rollback("flights").version == 1


def test_an_alias_cannot_move_to_a_version_whose_artifact_is_gone(registry):
    for number in range(6):
        publish(registry, number)

    with pytest.raises(ArtifactGone):
        registry.promote("flights", 1)

    assert registry.resolve("flights") == 6


def test_rolling_back_beyond_retention_says_so_and_leaves_the_alias(registry):
    for number in range(6):
        publish(registry, number)
    registry.rollback("flights")
    registry.rollback("flights")

    with pytest.raises(ArtifactGone, match="version 3"):
        registry.rollback("flights")

    assert registry.resolve("flights") == 4


def test_a_shared_artifact_stays_as_long_as_one_version_needs_it(registry):
    registry.publish(draft(offset=1), b"shared")
    for number in range(2, 4):
        publish(registry, number)
    last = registry.publish(draft(offset=4), b"shared")
    publish(registry, 5)

    assert registry.artifact(last) == b"shared"
    with pytest.raises(ArtifactGone):
        registry.promote("flights", 1)
