"""Means that are published by hand: from published versions, and from a file."""

import json

import numpy as np
import pytest

from modstream.models.runtimes.mean.artifact import MeanPart, pack
from modstream.models.runtimes.mean.combination import combine
from modstream.models.schema.input_schema import InputSchema
from modstream.registry.published import load_published
from tests.models.constant_model import constant_artifact, constant_spec
from tests.models.runtime_cases import case

pytestmark = [pytest.mark.real, pytest.mark.journey]


@pytest.fixture
def stack(system):
    """A registry with two versions of `m`, of different features, and one of `n`."""
    system.create_topics()
    with system.registry() as registry:
        registry.publish(constant_spec("m", 2.0), constant_artifact(2.0))
        other = constant_spec("m", -1.0).model_copy(
            update={"input_schema": InputSchema.of_floats(["hour"])}
        )
        registry.publish(other, constant_artifact(-1.0), alias="quick")
        registry.publish(constant_spec("n", 5.0), constant_artifact(5.0))
    return system


def log_odds_of(system, name, ref, row):
    loaded = load_published(system.settings, name, ref)
    batch = loaded.card.input_schema.parse_rows([row]).batch
    (probability,) = loaded.runtime.predict(batch)
    return np.log(probability / (1 - probability))


def test_a_mean_of_published_versions_is_published_and_shown(stack):
    done = stack.run("models", "mean", "m", "champion", "quick", "n:1", "--alias", "blend",
                     "-w", "1", "-w", "2", "-w", "0.5")  # fmt: skip
    assert done.returncode == 0, done.stderr

    shown = stack.run("models", "show", "m", "--version", "blend").stdout
    assert "1 of m 1; 2 of m 2; 0.5 of n 1" in shown
    card = json.loads(stack.run("models", "show", "m", "-v", "blend", "--json").stdout)
    assert [(one["name"], one["version"]) for one in card["parts"]] == [
        ("m", 1),
        ("m", 2),
        ("n", 1),
    ]
    assert card["trial"]["rows"] == 32
    row = {"distance": 1.0, "hour": 2.0}
    expected = (1 * 2.0 + 2 * -1.0 + 0.5 * 5.0) / 3.5
    assert log_odds_of(stack, "m", "blend", row) == pytest.approx(expected)
    with stack.registry() as registry:
        assert registry.resolve("m") == 1


def test_a_dry_run_publishes_nothing(stack):
    done = stack.run("models", "mean", "m", "1", "2", "--dry-run", "--json")

    assert json.loads(done.stdout)["published"] is None
    with stack.registry() as registry:
        assert registry.newest("m").version == 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["1", "9"], "9"),
        (["1", "unknown"], "unknown"),
        (["1", "2", "-w", "1"], "a positive --weight for each part"),
        (["1", "2", "-w", "1", "-w", "nan"], "a positive --weight for each part"),
    ],
)
def test_parts_and_weights_that_fit_nothing_are_refused(stack, arguments, reason):
    done = stack.run("models", "mean", "m", *arguments)

    assert done.returncode != 0
    assert reason in done.stderr


def test_an_unsigned_version_is_no_part_where_keys_are_trusted(stack):
    settings = stack.settings.model_copy(update={"trusted_keys": ("A" * 43 + "=",)})
    stack.settings = settings

    done = stack.run("models", "mean", "m", "1", "2")

    assert done.returncode != 0
    assert "is not trusted" in done.stderr


def test_a_file_of_a_mean_is_published_like_any_other(stack):
    known = [case(name) for name in ("onnx-binary", "river-binary")]
    parts = [MeanPart(one.card, one.artifact) for one in known]
    (stack.folder / "blend.mean").write_bytes(pack(parts))

    done = stack.run("models", "publish", "blend", "blend.mean")
    assert done.returncode == 0, done.stderr

    row = {"a": 0.5, "b": 3, "c": True, "s": "p"}
    batch = parts[0].card.input_schema.parse_rows([row]).batch
    outputs = [one.load().predict(batch) for one in known]
    (expected,) = combine("binary", outputs, [1, 1])
    assert log_odds_of(stack, "blend", 1, row) == pytest.approx(np.log(expected / (1 - expected)))
    again = stack.run("models", "publish", "blend", "blend.mean", "--class", "no", "--class", "yes")
    assert "the parts of a mean say it" in again.stderr


def test_a_damaged_file_is_refused(stack):
    (stack.folder / "blend.mean").write_bytes(b"{}")

    done = stack.run("models", "publish", "blend", "blend.mean")

    assert done.returncode != 0
    assert "mean artifact cannot be read" in done.stderr
