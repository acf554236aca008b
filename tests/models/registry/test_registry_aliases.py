import time

import pytest

from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.errors import (
    AliasMoved,
    ArtifactDeleted,
    ModelNotFound,
    NothingToRollBack,
    VersionConflict,
)
from modstream.models.registry.registry import Registry
from tests.models.version_specs import publish_version, version_spec, versions_with_artifact

pytestmark = pytest.mark.real


def test_promotion_moves_one_alias_only(registry):
    publish_version(registry, 1)
    publish_version(registry, 2, alias="challenger")

    promoted = registry.promote("flights", 2, reason="log-loss 0.48 < 0.49")

    assert promoted == registry.card("flights", "champion")
    assert registry.aliases("flights") == {"challenger": 2, "champion": 2}


def test_promoting_the_champion_again_changes_nothing(registry):
    publish_version(registry, 1)

    registry.promote("flights", 1)

    assert len(registry.history("flights")) == 1


def test_a_missing_version_cannot_be_promoted(registry):
    publish_version(registry, 1)

    with pytest.raises(ModelNotFound, match="2"):
        registry.promote("flights", 2)


def test_two_rollbacks_go_back_two_moves(registry):
    for number in range(3):
        publish_version(registry, number)

    back = [registry.rollback("flights").version, registry.rollback("flights").version]

    assert back == [2, 1]
    with pytest.raises(
        NothingToRollBack, match=r"alias 'champion' of flights cannot be rolled back"
    ):
        registry.rollback("flights")
    assert registry.resolve("flights") == 1


def test_a_rollback_skips_a_version_that_was_rolled_back_before(registry):
    publish_version(registry, 1)
    publish_version(registry, 2)
    registry.rollback("flights")
    publish_version(registry, 3)

    assert registry.rollback("flights").version == 1


def test_a_rollback_moves_one_alias_only(registry):
    publish_version(registry, 1)
    publish_version(registry, 2, alias="challenger")
    registry.promote("flights", 2)
    publish_version(registry, 3, alias="challenger")

    registry.rollback("flights", "champion")

    assert registry.aliases("flights") == {"challenger": 3, "champion": 1}


def test_a_repeated_rollback_whose_reply_was_lost_goes_back_once(registry):
    for number in range(3):
        publish_version(registry, number)

    cards = [
        registry._transact("flights", "", lambda tx: tx.rollback("flights", "champion", 3))
        for _ in range(2)
    ]

    assert [card.version for card in cards] == [2, 2]
    assert registry.resolve("flights") == 2


def test_a_rollback_does_not_undo_a_move_by_another_writer(registry):
    publish_version(registry, 1)
    publish_version(registry, 2)

    with pytest.raises(VersionConflict, match="is at version 2"):
        registry._transact("flights", "", lambda tx: tx.rollback("flights", "champion", 1))

    assert registry.resolve("flights") == 2


@pytest.mark.parametrize("expected", [0, 1])
def test_a_publish_from_another_version_than_expected_changes_nothing(registry, expected):
    publish_version(registry, 1)
    publish_version(registry, 2)
    shown = f"version {expected}" if expected else "no version"

    with pytest.raises(AliasMoved, match=f"champion of flights is version 2, not {shown}"):
        registry.publish(version_spec(offset=3), b"model 3", expected=expected)

    assert registry.resolve("flights") == 2
    assert len(registry.versions("flights")) == 2


def test_a_publish_or_promotion_from_the_expected_version_moves_the_alias(registry):
    registry.publish(version_spec(offset=1), b"model 1", expected=0)
    registry.publish(version_spec(offset=2), b"model 2", expected=1)
    registry.promote("flights", 1, expected=2)

    assert registry.resolve("flights") == 1


def test_a_promotion_from_another_version_than_expected_changes_nothing(registry):
    publish_version(registry, 1)
    publish_version(registry, 2)

    with pytest.raises(AliasMoved, match="another writer has moved it"):
        registry.promote("flights", 1, expected=1)

    assert registry.resolve("flights") == 2
    assert registry.promote("flights", 2, expected=1).version == 2, "it points there already"


def test_history_lists_every_move_with_its_reason(registry):
    before = time.time() - 5
    registry.publish(version_spec(offset=1), b"1", reason="by learner-0")
    registry.publish(version_spec(offset=2), b"2", alias="challenger")
    registry.promote("flights", 2, reason="gate passed")
    registry.rollback("flights", reason="drift")

    history = registry.history("flights")

    moves = [(e.alias, e.action, e.old, e.new, e.reason) for e in history]
    assert [move for move in moves if move[0] == "champion"] == [
        ("champion", "publish", None, 1, "by learner-0"),
        ("champion", "promote", 1, 2, "gate passed"),
        ("champion", "rollback", 2, 1, "drift"),
    ]
    assert ("challenger", "publish", None, 2, "") in moves
    assert len(moves) == 4
    assert all(before < entry.at.timestamp() < time.time() + 5 for entry in history)


def test_moves_of_the_challenger_do_not_trim_the_champions_history(redis_url, prefix):
    settings = RegistrySettings(prefix=prefix, keep_artifacts=2, history_length=10)
    with Registry(redis_url, settings) as registry:
        publish_version(registry, 1)
        publish_version(registry, 2)
        for number in range(3, 250):
            publish_version(registry, number, alias="challenger")

        assert len(registry.history("flights")) < 150
        assert registry.rollback("flights").version == 1


def test_retention_keeps_the_newest_artifacts_and_every_card(registry):
    for number in range(6):
        publish_version(registry, number)

    assert versions_with_artifact(registry) == [4, 5, 6]
    assert [card.version for card in registry.versions("flights")] == [1, 2, 3, 4, 5, 6]
    with pytest.raises(
        ArtifactDeleted, match="version 1 was deleted: retention kept only its card"
    ):
        registry.artifact(registry.card("flights", 1))


def test_retention_keeps_aliased_versions_and_targets_of_rollbacks(registry):
    publish_version(registry, 1)
    publish_version(registry, 2)
    for number in range(3, 10):
        publish_version(registry, number, alias="challenger")

    assert versions_with_artifact(registry) == [1, 2, 7, 8, 9]
    assert registry.rollback("flights").version == 1


def test_an_alias_cannot_move_to_a_version_without_an_artifact(registry):
    for number in range(6):
        publish_version(registry, number)

    with pytest.raises(ArtifactDeleted):
        registry.promote("flights", 1)

    assert registry.resolve("flights") == 6


def test_a_rollback_beyond_retention_fails_and_leaves_the_alias(registry):
    for number in range(6):
        publish_version(registry, number)
    registry.rollback("flights")
    registry.rollback("flights")

    with pytest.raises(ArtifactDeleted, match="version 3"):
        registry.rollback("flights")

    assert registry.resolve("flights") == 4


def test_a_shared_artifact_is_kept_while_one_version_needs_it(registry):
    registry.publish(version_spec(offset=1), b"shared")
    for number in range(2, 4):
        publish_version(registry, number)
    last = registry.publish(version_spec(offset=4), b"shared")
    publish_version(registry, 5)

    assert registry.artifact(last).content == b"shared"
    with pytest.raises(ArtifactDeleted):
        registry.promote("flights", 1)
