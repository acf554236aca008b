from datetime import UTC, datetime

import pytest

from modstream.models.errors import UntrustedModel
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import InputSchema
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
    with pytest.raises(ValueError, match=r".+"):
        Trust([key])
