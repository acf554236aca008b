import subprocess
import sys

import numpy as np
import pytest
from river import tree

from modstream.models.errors import HashMismatch, LearnError, PredictError, RuntimeUnavailable
from modstream.models.runtimes.river.runtime import RiverRuntime
from modstream.models.runtimes.runtime import load
from modstream.models.schema.artifact import sha256_of
from modstream.models.schema.input_schema import Batch
from tests.models.runtime_cases import CASES, SCHEMA, case, rows
from tests.models.runtime_checks import Check, checks


@pytest.mark.parametrize(
    ("name", "check"),
    [
        pytest.param(name, check, id=f"{name}-{check.__name__}")
        for name in CASES
        for check in checks(name)
    ],
)
def test_every_runtime_keeps_every_promise(name: str, check: Check):
    check(case(name))


@pytest.mark.parametrize("name", CASES)
def test_bytes_that_are_not_the_cards_are_refused(name):
    known = case(name)

    with pytest.raises(HashMismatch, match=sha256_of(known.artifact + b" ")):
        load(known.artifact + b" ", known.card)


def test_a_runtime_that_nobody_knows_is_named():
    known = case("river-binary")

    with pytest.raises(RuntimeUnavailable, match="'torch' is not available: known are onnx"):
        load(known.artifact, known.card.model_copy(update={"runtime": "torch"}))


@pytest.mark.parametrize("name", CASES)
def test_what_a_library_raises_becomes_an_error_of_this_room(name):
    runtime = case(name).load()
    strings = np.array(["p"], dtype=object)

    with pytest.raises(PredictError, match=f"the {runtime.name} runtime could not predict"):
        runtime.predict(Batch({"a": strings, "b": strings, "c": strings, "s": strings}, 2))


def test_what_river_raises_while_learning_becomes_an_error_of_this_room():
    runtime = case("river-binary").load()

    with pytest.raises(LearnError, match="the river runtime could not learn"):
        runtime.learn(SCHEMA.batch(rows(1)).batch, ["yes"])


def test_an_untrained_river_model_is_undecided():
    binary, multiclass = case("river-binary"), case("river-multiclass")

    halves = RiverRuntime(tree.HoeffdingTreeClassifier(), binary.card)
    thirds = RiverRuntime(tree.HoeffdingTreeClassifier(), multiclass.card)

    batch = SCHEMA.batch(rows(2)).batch
    assert halves.predict(batch).tolist() == [0.5, 0.5]
    assert thirds.predict(batch).tolist() == [[1 / 3] * 3] * 2


def test_importing_the_room_imports_no_machine_learning_library():
    heavy = ["onnx", "onnxruntime", "river", "sklearn", "skl2onnx", "skops", "pandas"]
    program = f"import sys, models; print(*[m for m in {heavy} if m in sys.modules])"

    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )

    assert done.stdout.split() == []
