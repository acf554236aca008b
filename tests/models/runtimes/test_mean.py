"""Means of several versions: the arithmetic, the artifact, the union of features, and refusals."""

from datetime import UTC, datetime

import numpy as np
import pytest

from modstream.models.errors import HashMismatch, NotConvertible, UnreadableArtifact
from modstream.models.runtimes.mean.artifact import MeanPart, mean_spec, pack, unpack
from modstream.models.runtimes.mean.combination import MIN_PROBABILITY, combine
from modstream.models.runtimes.mean.union import union_of
from modstream.models.runtimes.runtime import load
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.models.schema.feature import Feature
from modstream.models.schema.input_schema import InputSchema
from modstream.models.trial.trial import try_version
from tests.models.constant_model import constant_artifact, constant_onnx_artifact
from tests.models.runtime_cases import SCHEMA, case, random_rows


def part(number, name="x", runtime="river", version=1, weight=1.0, **fields):
    """Return a constant model of one feature, whose log-odds are `number`."""
    artifact = Artifact(
        constant_artifact(number) if runtime == "river" else constant_onnx_artifact(number)
    )
    given = {
        "task": "binary",
        "classes": (False, True),
        "input_schema": InputSchema.of_floats([name]),
        **fields,
    }
    card = ModelCard(
        name="m", version=version, runtime=runtime, sha256=artifact.sha256, size=artifact.size,
        created=datetime.now(UTC), **given,
    )  # fmt: skip
    return MeanPart(card, artifact.content, weight)


def load_mean(packed, **changes):
    content = pack(packed)
    card = mean_spec("mean", packed).make_card(1, Artifact(content)).model_copy(update=changes)
    return load(Artifact(content), card)


def test_a_binary_mean_is_the_mean_of_the_log_odds():
    one, two = np.array([0.2, 0.5, 0.999]), np.array([0.7, 0.5, 0.3])

    found = combine("binary", [one, two], [1, 3])

    log_odds = (np.log(one / (1 - one)) + 3 * np.log(two / (1 - two))) / 4
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-log_odds)), rtol=1e-12)


def test_a_multiclass_mean_is_the_normalised_geometric_mean():
    rng = np.random.default_rng(0)
    one, two = (rng.dirichlet(np.ones(3), size=5) for _ in range(2))

    found = combine("multiclass", [one, two], [2, 1])

    product = one ** (2 / 3) * two ** (1 / 3)
    np.testing.assert_allclose(found, product / product.sum(axis=1, keepdims=True), rtol=1e-12)


def test_a_mean_of_values_is_their_weighted_mean():
    found = combine("regression", [np.array([1.0, -2.0]), np.array([4.0, 2.0])], [1, 2])

    np.testing.assert_allclose(found, [3.0, 2 / 3])


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_a_model_that_is_sure_does_not_outvote_all_others(task):
    sure, other = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    if task == "multiclass":
        sure, other = np.stack([1 - sure, sure], axis=1), np.stack([1 - other, other], axis=1)

    found = combine(task, [sure, other], [1, 1])

    np.testing.assert_allclose(found, np.full(found.shape, 0.5), atol=2 * MIN_PROBABILITY)


@pytest.mark.parametrize("task", ["binary", "regression"])
@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf])
def test_a_row_without_an_output_of_one_part_has_none(task, missing):
    found = combine(task, [np.array([0.3, missing]), np.array([0.4, 0.5])], [1, 1])

    assert np.isfinite(found).tolist() == [True, False]


def test_the_answer_is_that_of_the_parts_each_with_its_own_features():
    parts = [part(2.0, "x", weight=3.0), part(-1.0, "y", runtime="onnx")]
    runtime = load_mean(parts)
    batch = mean_spec("mean", parts).input_schema.parse_rows([{"x": 1.0, "y": 2.0}] * 4).batch

    log_odds = np.log(1 / (1 / runtime.predict(batch) - 1))

    np.testing.assert_allclose(log_odds, np.full(4, (3 * 2.0 - 1.0) / 4), rtol=1e-6)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_mean_of_real_models_equals_the_mean_of_their_answers(task):
    batch = SCHEMA.parse_rows(random_rows(40, seed=7)).batch
    parts = [case(f"onnx-{task}").load(), case(f"river-{task}").load()]

    found = case(f"mean-{task}").load().predict(batch)

    expected = combine(task, [one.predict(batch) for one in parts], [1, 2])
    np.testing.assert_array_equal(found, expected)


def test_a_matrix_of_all_features_reaches_each_part_as_its_own_columns():
    parts = [part(2.0, "x"), part(0.0, "y", runtime="onnx")]
    schema = mean_spec("mean", parts).input_schema
    batch = type(schema.parse_rows([]).batch).of_matrix(schema.names, np.ones((3, 2)))

    assert load_mean(parts).predict(batch).shape == (3,)


def test_an_artifact_has_its_parts_and_the_same_bytes_for_the_same_parts():
    parts = [part(1.0, version=4, weight=0.5), part(2.0, runtime="onnx", version=7)]

    content = pack(parts)

    assert content == pack(parts)
    found = unpack(content)
    assert [(one.card.version, one.weight, one.content) for one in found] == [
        (4, 0.5, parts[0].content),
        (7, 1.0, parts[1].content),
    ]
    records = mean_spec("mean", parts).parts
    assert [(one.version, one.weight, one.sha256) for one in records] == [
        (4, 0.5, parts[0].card.sha256),
        (7, 1.0, parts[1].card.sha256),
    ]


def test_a_card_with_other_parts_is_refused():
    parts = [part(1.0), part(2.0, version=2)]
    others = mean_spec("mean", [part(1.0), part(2.0, version=3)]).parts

    with pytest.raises(UnreadableArtifact, match="not those that the card names"):
        load_mean(parts, parts=others)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: content[:-1], "its parts end at"),
        (lambda content: content + b"x", "its parts end at"),
        (lambda content: content.replace(b"modstream-mean-1", b"modstream-mean-9"), "header"),
        (lambda _: b"", "no header"),
        (lambda _: b'{"parts": []}\n', "header"),
    ],
)
def test_a_damaged_artifact_is_unreadable(damage, reason):
    content = pack([part(1.0), part(2.0)])

    with pytest.raises(UnreadableArtifact, match=reason):
        unpack(damage(content))


def test_a_part_with_another_content_is_refused():
    content = bytearray(pack([part(1.0), part(2.0)]))
    content[-1] ^= 1
    card = mean_spec("mean", [part(1.0), part(2.0)]).make_card(1, Artifact(bytes(content)))
    same_parts = card.model_copy(update={"parts": tuple(one.record for one in unpack(content))})

    with pytest.raises(HashMismatch):
        load(Artifact(bytes(content)), same_parts)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"task": "regression", "classes": ()}, "has the task regression"),
        ({"classes": (True, False)}, "other classes"),
        ({"classes": ("no", "yes")}, "other classes"),
        ({"scores": "margin"}, "no probabilities or values"),
        ({"task": "anomaly", "classes": ()}, "no probabilities or values"),
        ({"input_schema": InputSchema(features=(Feature(name="x", kind="string"),))}, "is float"),
    ],
)
def test_versions_that_contradict_each_other_have_no_mean(other, reason):
    with pytest.raises(NotConvertible, match=reason):
        pack([part(1.0), part(2.0, version=2, **other)])


def test_a_mean_is_no_part_of_a_mean():
    inner = [part(1.0)]
    content = pack(inner)
    nested = mean_spec("m", inner).make_card(3, Artifact(content))

    with pytest.raises(NotConvertible, match="version 3 of m is a mean"):
        pack([MeanPart(nested, content)])


def test_classes_that_mean_the_same_labels_have_a_mean():
    assert len(unpack(pack([part(1.0), part(2.0, classes=(0, 1))]))) == 2


def test_a_feature_may_be_missing_if_it_may_be_in_all_parts():
    one = InputSchema(
        features=(
            Feature(name="x", kind="float", missing=True, low=0, high=9),
            Feature(name="y", kind="float", missing=True),
        )
    )
    two = InputSchema(
        features=(
            Feature(name="z", kind="string", sensitive=True),
            Feature(name="x", kind="float", low=-1, high=5, dtype="float32"),
        )
    )

    assert union_of([one, two]).features == (
        Feature(name="x", kind="float", low=0, high=5, dtype="float32"),
        Feature(name="y", kind="float", missing=True),
        Feature(name="z", kind="string", sensitive=True),
    )


def test_a_mean_passes_the_trial_of_every_version():
    known = case("mean-binary")

    report = try_version(known.card, Artifact(known.artifact), random_rows(5))

    assert report.rows == 5
