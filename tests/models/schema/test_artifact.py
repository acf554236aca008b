from datetime import UTC, datetime
from hashlib import sha256

import pytest

from modstream.models.errors import ArtifactTooLarge, HashMismatch
from modstream.models.schema.artifact import MAX_ARTIFACT_BYTES, Artifact, check_artifact_size
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec

SPEC = VersionSpec(
    name="flights", runtime="river", task="regression", input_schema=InputSchema.of_floats(["x"])
)


def test_a_card_describes_its_artifact():
    artifact = Artifact(b"model")

    card = SPEC.make_card(7, artifact)

    assert (card.version, card.sha256, card.size) == (7, sha256(b"model").hexdigest(), 5)
    assert datetime.now(UTC) >= card.created
    artifact.verify(card)


def test_another_artifact_is_rejected():
    card = SPEC.make_card(7, Artifact(b"model"))

    with pytest.raises(HashMismatch, match=f"but its card has {card.sha256}"):
        Artifact(b"another").verify(card)


def test_a_size_above_the_limit_is_rejected():
    check_artifact_size(MAX_ARTIFACT_BYTES)

    with pytest.raises(ArtifactTooLarge, match="the limit is 536,870,912"):
        check_artifact_size(MAX_ARTIFACT_BYTES + 1)


@pytest.mark.parametrize(
    ("change", "is_published"),
    [
        ({}, True),
        ({"metrics": {"learned": 1.0}}, True),
        ({"note": "another"}, False),
        ({"runtime": "onnx"}, False),
        ({"parent": 3}, False),
        ({"offsets": {"t:0": 1}}, False),
        ({"task": "binary"}, False),
        ({"task": "binary", "classes": (0, 1)}, False),
        ({"scores": "margin"}, False),
        ({"input_schema": InputSchema.of_floats(["y"])}, False),
    ],
)
def test_a_card_is_recognised_by_artifact_parent_offsets_and_description(change, is_published):
    card = SPEC.make_card(7, Artifact(b"model"))

    repeated = SPEC.model_copy(update=change)

    assert repeated.is_published_as(card, Artifact(b"model")) is is_published
    assert not repeated.is_published_as(card, Artifact(b"another"))


def test_the_classes_0_and_1_are_not_false_and_true():
    spec = SPEC.model_copy(update={"task": "binary", "classes": (0, 1)})
    card = spec.make_card(7, Artifact(b"model"))

    other = spec.model_copy(update={"classes": (False, True)})

    assert spec.is_published_as(card, Artifact(b"model"))
    assert not other.is_published_as(card, Artifact(b"model"))
