"""Contract checks for every runtime, and translation of library errors."""

import subprocess
import sys

import numpy as np
import pytest
from river import tree

from modstream.models.errors import HashMismatch, LearnError, PredictError, RuntimeUnavailable
from modstream.models.runtimes.river.runtime import RiverRuntime
from modstream.models.runtimes.runtime import load
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.input_schema import Batch
from tests.models.runtime_cases import CASES, SCHEMA, case, random_rows
from tests.models.runtime_checks import Check, checks


@pytest.mark.parametrize(
    ("name", "check"),
    [
        pytest.param(name, check, id=f"{name}-{check.__name__}")
        for name in CASES
        for check in checks(name)
    ],
)
def test_every_runtime_fulfils_the_contract(name: str, check: Check):
    check(case(name))


@pytest.mark.parametrize("name", CASES)
def test_bytes_with_another_hash_are_rejected(name):
    known = case(name)

    with pytest.raises(HashMismatch, match=Artifact(known.artifact + b" ").sha256):
        load(Artifact(known.artifact + b" "), known.card)


def test_an_unknown_runtime_is_named():
    known = case("river-binary")

    with pytest.raises(
        RuntimeUnavailable, match="'torch' is not available: the known runtimes are mean, onnx"
    ):
        load(Artifact(known.artifact), known.card.model_copy(update={"runtime": "torch"}))


@pytest.mark.parametrize("name", CASES)
def test_library_exceptions_while_predicting_become_predict_errors(name):
    runtime = case(name).load()
    strings = np.array(["p"], dtype=object)
    first = "onnx" if runtime.name == "mean" else runtime.name  # a mean asks its first part first

    with pytest.raises(PredictError, match=f"the {first} runtime could not predict"):
        runtime.predict(Batch({"a": strings, "b": strings, "c": strings, "s": strings}, 2))


def test_library_exceptions_while_learning_become_learn_errors():
    runtime = case("river-binary").load()

    with pytest.raises(LearnError, match="the river runtime could not learn"):
        runtime.learn(SCHEMA.parse_rows(random_rows(1)).batch, ["yes"])


def test_an_untrained_river_model_gives_equal_probabilities():
    binary, multiclass = case("river-binary"), case("river-multiclass")

    halves = RiverRuntime(tree.HoeffdingTreeClassifier(), binary.card)
    thirds = RiverRuntime(tree.HoeffdingTreeClassifier(), multiclass.card)

    batch = SCHEMA.parse_rows(random_rows(2)).batch
    assert halves.predict(batch).tolist() == [0.5, 0.5]
    assert thirds.predict(batch).tolist() == [[1 / 3] * 3] * 2


def test_importing_the_package_imports_no_machine_learning_library():
    heavy = ["onnx", "onnxruntime", "river", "sklearn", "skl2onnx", "skops", "pandas"]
    program = (
        "import sys, modstream.models.runtimes.runtime;"
        f" print(*[m for m in {heavy} if m in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )

    assert done.stdout.split() == []
