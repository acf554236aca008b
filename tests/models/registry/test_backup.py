"""Copies on disk of what passes through a registry."""

import pytest

from modstream.models.errors import HashMismatch, ModelNotFound, VersionConflict
from modstream.models.registry.backup import Cellar
from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.registry import Registry
from tests.models.constant_model import artifact, biased, publish


@pytest.fixture
def cellar(tmp_path):
    return Cellar(tmp_path / "cellar")


@pytest.fixture
def copying(redis_url, prefix, tmp_path):
    """A registry that keeps three artifacts per model, in Redis and in the cellar."""
    settings = RegistrySettings(prefix=prefix, keep=3, cellar=tmp_path / "cellar")
    with Registry(redis_url, settings) as registry:
        yield registry


def drafted(number, version=1):
    return biased("flights", number).card(version, artifact(number)), artifact(number)


def test_a_copy_is_the_card_word_by_word_and_the_artifact(cellar):
    card, content = drafted(7)

    cellar.put(card.model_copy(update={"signature": "of somebody"}), content)

    assert cellar.get("flights", 1) == (
        card.model_copy(update={"signature": "of somebody"}),
        content,
    )
    assert cellar.versions("flights") == {1}


def test_what_was_never_copied_is_not_there(cellar):
    assert cellar.get("flights", 1) is None
    assert cellar.versions("flights") == set()


def test_bytes_of_another_card_are_refused(cellar):
    card, _ = drafted(7)

    with pytest.raises(HashMismatch):
        cellar.put(card, artifact(8))

    assert cellar.versions("flights") == set()


@pytest.mark.parametrize("ending", ["json", "bin"])
@pytest.mark.parametrize("harm", [lambda p: p.write_bytes(b"{}"), lambda p: p.unlink()])
def test_a_damaged_copy_is_no_copy_and_is_mended_by_the_next(cellar, tmp_path, ending, harm):
    card, content = drafted(7)
    cellar.put(card, content)
    harm(tmp_path / "cellar" / "flights" / f"1.{ending}")

    assert cellar.get("flights", 1) is None
    cellar.put(*drafted(8))
    cellar.put(card, content)
    assert cellar.get("flights", 1) == (card, content)


def test_others_than_those_to_be_kept_are_thrown_away(cellar, tmp_path):
    for version in (1, 2, 3):
        cellar.put(*drafted(version, version))

    cellar.keep_only("flights", {1, 3, 9})

    assert cellar.versions("flights") == {1, 3}
    assert len(list((tmp_path / "cellar" / "flights").iterdir())) == 4


@pytest.mark.real
def test_what_is_published_or_fetched_is_copied_as_long_as_redis_holds_it(copying, cellar):
    publish(copying, 1, alias="frozen")
    for number in range(2, 8):
        publish(copying, number)

    assert cellar.versions("flights") == copying.held("flights") == {1, 5, 6, 7}
    assert cellar.get("flights", 6) == (copying.card("flights", 6), artifact(6))

    cellar.keep_only("flights", set())
    copying.artifact(copying.card("flights", 5))
    assert cellar.versions("flights") == {5}


@pytest.mark.real
def test_a_registry_that_was_wiped_costs_no_copy(copying, cellar, client, prefix):
    for number in (1, 2, 3):
        publish(copying, number)
    client.delete(*client.keys(f"{prefix}:*"))

    publish(copying, 4, alias=None)

    assert cellar.versions("flights") >= {2, 3}


@pytest.mark.real
def test_a_cellar_that_cannot_be_written_stops_no_publishing(redis_url, prefix, tmp_path):
    (tmp_path / "file").touch()
    settings = RegistrySettings(prefix=prefix, cellar=tmp_path / "file")

    with Registry(redis_url, settings) as registry:
        card = publish(registry, 1)

        assert registry.artifact(card) == artifact(1)


@pytest.mark.real
def test_a_lost_version_comes_back_under_its_number_and_none_is_given_out_twice(registry):
    registry.restore(*drafted(5, version=5))
    registry.reserve("flights", 7)

    assert registry.card("flights", 5) == registry.newest("flights")
    assert registry.artifact(registry.card("flights", 5)) == artifact(5)
    assert registry.held("flights") == {5}
    assert publish(registry, 8).version == 8


@pytest.mark.real
def test_restoring_changes_nothing_that_stands(registry):
    standing = publish(registry, 1)
    card, content = drafted(2)

    assert registry.restore(card, content) == standing
    assert registry.card("flights", 1) == standing
    assert registry.artifact(standing) == artifact(1)
    with pytest.raises(HashMismatch):
        registry.restore(card, artifact(3))
    with pytest.raises(ModelNotFound):
        registry.card("flights", 2)


@pytest.mark.real
def test_a_child_is_not_published_where_its_parent_never_was(registry):
    orphan = biased("flights", 9).model_copy(update={"parent": 8})

    with pytest.raises(VersionConflict, match="expected 8"):
        registry.publish(orphan, artifact(9))

    registry.reserve("flights", 8)
    assert registry.publish(orphan, artifact(9)).version == 9
