import pytest

from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.errors import InvalidAlias, ModelNotFound, UnreadableCard
from modstream.models.registry.keys import RegistryKeys
from modstream.models.registry.registry import Registry
from modstream.models.security.signing import SigningKey, Trust
from tests.models.version_specs import publish_version, version_spec

pytestmark = pytest.mark.real


def test_versions_are_numbered_from_one_and_the_champion_moves(registry):
    versions = [publish_version(registry, number) for number in range(3)]

    assert versions == [1, 2, 3]
    assert registry.resolve("flights") == 3
    assert registry.names() == ["flights"]


def test_a_published_card_and_its_artifact_are_read_back(registry):
    published = registry.publish(version_spec(offset=7), b"bytes")

    assert registry.card("flights", 1) == published
    assert registry.artifact(published).content == b"bytes"
    assert published.offsets == {"flights.feedback:0": 7}
    assert (published.size, published.signature) == (5, None)


def test_a_version_without_an_alias_moves_no_alias(registry):
    publish_version(registry, 1)

    publish_version(registry, 2, alias=None)

    assert registry.aliases("flights") == {"champion": 1}
    assert [card.version for card in registry.versions("flights")] == [1, 2]
    assert [entry.new for entry in registry.history("flights")] == [1]


def test_a_publication_whose_reply_was_lost_may_be_repeated(registry):
    first = registry.publish(version_spec(offset=5), b"model")

    again = registry.publish(version_spec(offset=5), b"model")

    assert again == first
    assert registry.versions("flights") == [first]
    assert len(registry.history("flights")) == 1


def test_a_repeated_publish_does_not_undo_a_rollback(registry):
    publish_version(registry, 1)
    publish_version(registry, 2)
    registry.rollback("flights")

    publish_version(registry, 2)

    assert registry.aliases("flights") == {"champion": 1}


def test_the_same_state_at_later_offsets_is_a_new_version_that_shares_the_artifact(
    registry, client, prefix
):
    first = registry.publish(version_spec(offset=1), b"model")

    second = registry.publish(version_spec(offset=2), b"model")

    assert (first.version, second.version) == (1, 2)
    assert len(list(client.scan_iter(f"{prefix}:artifact:*"))) == 1


def test_each_model_has_its_own_version_numbers(registry):
    registry.publish(version_spec("flights"), b"model")

    other = registry.publish(version_spec("weather"), b"model")

    assert other.version == 1
    assert registry.names() == ["flights", "weather"]


def test_a_registry_with_a_key_signs_the_cards_it_publishes(redis_url, prefix):
    key = SigningKey.generate()
    with Registry(redis_url, RegistrySettings(prefix=prefix), key) as registry:
        registry.publish(version_spec(), b"model")

        card = registry.card("flights")

    assert card.signature is not None
    Trust([key.public_key]).verify(card)


def test_an_alias_that_is_not_a_plain_word_is_rejected(registry):
    for alias in ("7", "", "Champion", "a:b", "x" * 65, "naïve", "line\n"):
        with pytest.raises(InvalidAlias, match="cannot be an alias"):
            registry.publish(version_spec(), b"model", alias=alias)

    assert registry.names() == []


def test_a_version_is_found_by_number_digits_or_alias(registry):
    publish_version(registry, 1)
    publish_version(registry, 2)
    publish_version(registry, 3, alias="challenger")

    assert [registry.resolve("flights", ref) for ref in (1, "1", "champion", "challenger")] == [
        1,
        1,
        2,
        3,
    ]


@pytest.mark.parametrize(
    ("name", "ref"),
    [
        ("flights", 2),
        ("flights", 0),
        ("flights", -1),
        ("flights", "9" * 5000),
        ("flights", "shadow"),
        ("flights", "²"),
        ("flights", ""),
        ("flights", "\ud800"),
        ("unknown", "champion"),
        ("unknown", 1),
        ("\ud800", 1),
        ("", 1),
        ("a:b", "champion"),
    ],
)
def test_the_error_names_the_missing_model_or_reference(registry, name, ref):
    publish_version(registry, 1)

    with pytest.raises(ModelNotFound) as caught:
        registry.card(name, ref)

    assert (caught.value.name, caught.value.ref) == (name, ref)


def test_an_unknown_model_has_no_versions_aliases_or_history(registry):
    assert registry.versions("unknown") == []
    assert registry.aliases("unknown") == {}
    assert registry.history("unknown") == []


def test_a_card_of_an_unknown_format_is_an_error(registry, client, prefix):
    publish_version(registry, 1)
    client.hset(RegistryKeys(prefix).cards("flights"), "1", '{"format": 2}')

    with pytest.raises(UnreadableCard, match="flights version 1 cannot be read"):
        registry.card("flights")


def test_a_card_stored_as_another_version_is_an_error(registry, client, prefix):
    publish_version(registry, 1)
    publish_version(registry, 2)
    cards = RegistryKeys(prefix).cards("flights")

    client.hset(cards, "2", client.hget(cards, "1"))

    with pytest.raises(
        UnreadableCard, match="version 2 cannot be read: it is the card of flights ver"
    ):
        registry.card("flights", 2)
