"""Aliases where keys are trusted: a writer to Redis without such a key moves nothing."""

import pytest
from structlog.testing import capture_logs

from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.errors import ModelNotFound, SigningKeyMissing, UntrustedAlias
from modstream.models.registry.keys import RegistryKeys
from modstream.models.registry.registry import Registry
from modstream.models.registry.served_aliases import ServedAliases
from modstream.models.security.signing import SigningKey, Trust
from tests.models.constant_model import publish_constant

pytestmark = pytest.mark.real
NAME = "flights"


@pytest.fixture
def key():
    return SigningKey.generate("here")


@pytest.fixture
def keys(prefix):
    return RegistryKeys(prefix)


@pytest.fixture
def open_registry(redis_url, prefix, key, tmp_path):
    """Return a function that opens the registry as another process of the same machine would."""
    opened = []

    def open_(signing=None, trusted=(), installation="here", *, backup=True):
        settings = RegistrySettings(
            prefix=prefix, keep_artifacts=3, backup_dir=tmp_path if backup else None
        )
        trust = Trust([one.public_key for one in trusted or (key,)], installation)
        opened.append(Registry(redis_url, settings, signing, trust))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


@pytest.fixture
def signed(open_registry, key):
    """A registry with three signed versions; the champion is the third."""
    registry = open_registry(key)
    for number in (1, 2, 3):
        publish_constant(registry, number)
    return registry


def test_a_signed_alias_is_followed_by_other_processes(open_registry, signed):
    other = open_registry(backup=False)

    assert other.resolve(NAME) == 3
    assert other.aliases(NAME) == {"champion": 3}
    signed.rollback(NAME)
    assert other.resolve(NAME) == 2


def test_an_alias_moved_without_a_key_is_not_followed(open_registry, signed, client, keys):
    reader = open_registry()
    client.hset(keys.aliases(NAME), "champion", "1")

    with pytest.raises(UntrustedAlias, match="at version 1, and its signed move at version 3"):
        reader.resolve(NAME)
    assert reader.aliases(NAME) == {"champion": 3}

    signed.promote(NAME, 2)
    assert reader.resolve(NAME) == 2


def test_a_new_alias_without_a_signature_is_not_followed(open_registry, signed, client, keys):
    client.hset(keys.aliases(NAME), "beta", "1")

    with pytest.raises(UntrustedAlias, match="'beta' of flights is not trusted: it is not signed"):
        signed.resolve(NAME, "beta")
    with capture_logs() as logs:
        assert signed.aliases(NAME) == {"champion": 3}
        assert signed.aliases(NAME) == {"champion": 3}
    assert [entry["event"] for entry in logs] == ["alias not trusted"]
    with pytest.raises(ModelNotFound):
        signed.resolve(NAME, "gamma")


def test_an_older_move_that_was_put_back_is_not_followed(open_registry, signed, client, keys):
    reader = open_registry()
    older = client.hget(keys.moves(NAME), "champion")
    signed.promote(NAME, 2)
    assert reader.resolve(NAME) == 2

    client.hset(keys.moves(NAME), "champion", older)
    client.hset(keys.aliases(NAME), "champion", "3")

    with pytest.raises(UntrustedAlias, match="version 3 is older than one to version 2"):
        reader.resolve(NAME)
    assert reader.aliases(NAME) == {"champion": 2}


def test_a_process_that_starts_knows_what_its_machine_has_served(
    open_registry, signed, client, keys
):
    older = client.hget(keys.moves(NAME), "champion")
    signed.promote(NAME, 2)
    assert signed.resolve(NAME) == 2
    signed.record_served(NAME, "champion", 2)
    client.hset(keys.moves(NAME), "champion", older)
    client.hset(keys.aliases(NAME), "champion", "3")

    started = open_registry()

    with pytest.raises(UntrustedAlias, match="version 3 is older than one to version 2"):
        started.resolve(NAME)
    card, _ = started.last_served(NAME, "champion")
    assert card.version == 2


def test_a_process_that_is_behind_does_not_replace_a_later_record(tmp_path):
    served = ServedAliases(tmp_path)
    key = SigningKey.generate("here")
    earlier, later = (key.sign_move(NAME, "champion", 2, sequence) for sequence in (7, 8))

    served.record(later, NAME, "champion", 2)
    served.record(earlier, NAME, "champion", 2)

    assert served.get(NAME, "champion") == later


def test_the_move_of_another_alias_or_installation_is_not_followed(
    open_registry, signed, client, keys
):
    move = client.hget(keys.moves(NAME), "champion")
    client.hset(keys.moves(NAME), "beta", move)
    client.hset(keys.aliases(NAME), "beta", "3")

    with pytest.raises(UntrustedAlias, match="its signature is that of 'champion' of flights"):
        open_registry().resolve(NAME, "beta")
    with pytest.raises(UntrustedAlias, match="signed for the installation 'here'"):
        open_registry(installation="there", backup=False).resolve(NAME)


@pytest.mark.parametrize("raw", ["", "{}", "[1]", "\xff", '{"version": 10}'])
def test_a_damaged_move_is_not_followed(signed, client, keys, raw):
    client.hset(keys.moves(NAME), "champion", raw)

    with pytest.raises(UntrustedAlias, match="it is not signed"):
        signed.resolve(NAME)


def test_a_writer_without_a_key_writes_nothing(open_registry, signed, key):
    writer = open_registry()

    with pytest.raises(SigningKeyMissing, match="set `signing_key`"):
        publish_constant(writer, 4)
    with pytest.raises(SigningKeyMissing):
        writer.promote(NAME, 1)
    with pytest.raises(SigningKeyMissing):
        writer.rollback(NAME)
    assert signed.newest(NAME).version == 3


def test_a_promotion_to_the_same_version_signs_an_alias_that_is_not_trusted(signed, client, keys):
    client.hdel(keys.moves(NAME), "champion")

    signed.promote(NAME, 3)

    assert signed.resolve(NAME) == 3
    assert len(signed.history(NAME)) == 3


def test_a_new_key_takes_over(open_registry, signed, key):
    new = SigningKey.generate("here")
    late = open_registry(new, trusted=(new,), backup=False)
    with pytest.raises(UntrustedAlias, match="no trusted key"):
        late.resolve(NAME)

    report = open_registry(new, trusted=(key, new)).sign_again(NAME)

    assert (report.versions, dict(report.aliases)) == ((1, 2, 3), {"champion": 3})
    assert late.resolve(NAME) == 3
    for card in late.versions(NAME):
        Trust([new.public_key], "here").verify(card)


def test_what_is_not_trusted_is_signed_only_if_it_is_adopted(open_registry, redis_url, prefix, key):
    with Registry(redis_url, RegistrySettings(prefix=prefix)) as unsigned:
        publish_constant(unsigned, 1)
    registry = open_registry(key)

    left = registry.sign_again(NAME)
    with pytest.raises(UntrustedAlias):
        registry.resolve(NAME)
    adopted = registry.sign_again(NAME, adopt=True)

    assert (left.versions, left.refused_versions) == ((), (1,))
    assert (dict(left.aliases), dict(left.refused_aliases)) == ({}, {"champion": 1})
    assert (adopted.versions, dict(adopted.aliases)) == ((1,), {"champion": 1})
    assert registry.resolve(NAME) == 1


def test_a_move_without_a_key_removes_the_signature_of_the_earlier_move(
    signed, redis_url, prefix, client, keys
):
    with Registry(redis_url, RegistrySettings(prefix=prefix)) as unsigned:
        unsigned.promote(NAME, 1)

    assert client.hget(keys.moves(NAME), "champion") is None
    with pytest.raises(UntrustedAlias, match="it is not signed"):
        signed.resolve(NAME)
