import re
from datetime import UTC, datetime

import pytest

from modstream.models.errors import UnreadableKey, UntrustedModel
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import InputSchema
from modstream.models.security.alias_move import SignedMove
from modstream.models.security.signing import SigningKey, Trust

CARD = ModelCard(
    name="flights",
    version=7,
    runtime="onnx",
    task="binary",
    input_schema=InputSchema.of_floats(["x"]),
    sha256="0" * 64,
    size=3,
    created=datetime(2013, 1, 1, tzinfo=UTC),
)


def test_a_card_signed_by_a_trusted_key_is_trusted():
    signer, other = SigningKey.generate(), SigningKey.generate()

    signed = signer.sign(CARD)

    Trust([other.public_key, signer.public_key]).verify(signed)
    assert signed.signature is not None
    assert signed.model_copy(update={"signature": None}) == CARD


def test_a_signature_survives_json():
    key = SigningKey.generate()

    again = ModelCard.model_validate_json(key.sign(CARD).model_dump_json())

    Trust([key.public_key]).verify(again)
    assert again.version == 7


def test_a_card_without_a_signature_is_rejected():
    trust = Trust([SigningKey.generate().public_key])

    with pytest.raises(UntrustedModel, match="flights version 7 is not trusted: it is not signed"):
        trust.verify(CARD)


def test_a_card_signed_by_an_unknown_key_is_rejected():
    trust = Trust([SigningKey.generate().public_key])

    with pytest.raises(UntrustedModel, match="no trusted key"):
        trust.verify(SigningKey.generate().sign(CARD))


@pytest.mark.parametrize(
    "change",
    [
        {"version": 8},
        {"sha256": "1" * 64},
        {"runtime": "river"},
        {"metrics": {"auc": 1.0}},
        {"signature": ""},
        {"signature": "not base64"},
        {"signature": "AAAA"},
        {"signature": "ü"},
    ],
)
def test_a_card_changed_after_signing_is_rejected(change):
    key = SigningKey.generate()

    with pytest.raises(UntrustedModel, match="no trusted key"):
        Trust([key.public_key]).verify(key.sign(CARD).model_copy(update=change))


def test_trust_without_keys_is_unrestricted():
    trust = Trust()

    trust.verify(CARD)

    assert trust.is_unrestricted
    assert not Trust([SigningKey.generate().public_key]).is_unrestricted


def test_a_saved_key_signs_alike_and_is_readable_by_its_owner_only(tmp_path):
    key, path = SigningKey.generate(), tmp_path / "key"

    key.save(path)

    assert SigningKey.load(path).sign(CARD) == key.sign(CARD)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_file_is_never_overwritten(tmp_path):
    path = tmp_path / "key"
    SigningKey.generate().save(path)

    with pytest.raises(FileExistsError):
        SigningKey.generate().save(path)


@pytest.mark.parametrize("key", ["", "AAAA", "not base64!"])
def test_an_invalid_public_key_is_rejected(key):
    with pytest.raises(UnreadableKey, match="it is not an Ed25519 key in base64"):
        Trust([key])


@pytest.mark.parametrize("content", [None, "", "AAAA", "not base64!", "ü"])
def test_an_unusable_key_file_is_named(tmp_path, content):
    path = tmp_path / "signing.key"
    if content is not None:
        path.write_text(content)

    with pytest.raises(UnreadableKey, match=re.escape(str(path))):
        SigningKey.load(path)


def test_a_card_is_trusted_in_the_installation_that_it_was_signed_for():
    key = SigningKey.generate("staging.modstream")
    signed = key.sign(CARD)

    Trust([key.public_key], "staging.modstream").verify(signed)
    with pytest.raises(UntrustedModel, match=r"for the installation 'staging\.modstream'"):
        Trust([key.public_key], "modstream").verify(signed)
    renamed = signed.model_copy(update={"installation": "modstream"})
    with pytest.raises(UntrustedModel, match="no trusted key"):
        Trust([key.public_key], "modstream").verify(renamed)


def test_a_card_that_names_no_installation_is_not_trusted_in_one():
    key = SigningKey.generate()

    with pytest.raises(UntrustedModel, match="it was signed for no installation"):
        Trust([key.public_key], "modstream").verify(key.sign(CARD))


def test_a_signed_move_is_that_of_one_alias():
    key = SigningKey.generate("modstream")
    trust = Trust([key.public_key], "modstream")
    move = key.sign_move("flights", "champion", 3, sequence=7)

    assert trust.move_problem(move, "flights", "champion") is None
    assert SignedMove.parse(move.model_dump_json()) == move
    assert "is that of 'champion' of flights" in trust.move_problem(move, "flights", "beta")
    assert "is that of 'champion' of flights" in trust.move_problem(move, "other", "champion")
    assert trust.move_problem(None, "flights", "champion") == "it is not signed"


@pytest.mark.parametrize(
    "change", [{"version": 4}, {"sequence": 8}, {"installation": "other"}, {"signature": ""}]
)
def test_a_move_changed_after_signing_is_not_trusted(change):
    key = SigningKey.generate("modstream")
    move = key.sign_move("flights", "champion", 3, sequence=7).model_copy(update=change)

    problem = Trust([key.public_key], "modstream").move_problem(move, "flights", "champion")

    assert problem == "no trusted key has signed this content"
