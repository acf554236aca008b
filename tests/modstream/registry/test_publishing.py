"""Foreign models are published only after their trial, and then with its record."""

import numpy as np
import pytest

from modstream.models.errors import TrialFailed
from modstream.models.importers.imported_model import ImportedModel, Samples
from modstream.models.schema.card import Fidelity
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.models.trial.process import TrialProcess
from modstream.models.trial.settings import TrialLimits
from modstream.models.trial.trial import TrialReport
from modstream.registry.publishing import KEPT_SAMPLE_ROWS, compare, keep_rows, try_model
from tests.models.constant_model import constant_artifact, constant_spec
from tests.models.onnx_graphs import looping_graph, summing_graph

pytestmark = pytest.mark.slow

LIMITS = TrialLimits(seconds=20.0)
ROWS = [{"x0": float(number), "x1": 1.0, "other": "x"} for number in range(20)]
SUMS = np.array([row["x0"] + 1.0 for row in ROWS])
SPEC = VersionSpec(
    name="m",
    runtime="onnx",
    task="regression",
    input_schema=InputSchema.of_floats(["x0", "x1"]),
    fidelity=Fidelity(precision="float32", max_difference=0.0, rows=20),
)


def try_it(imported, limits=LIMITS):
    with TrialProcess(limits) as trials:
        return try_model(imported, trials)


def try_sums(outputs=SUMS, **more):
    return try_it(ImportedModel(SPEC, summing_graph(), Samples(ROWS, outputs, **more)))


def test_a_model_that_answers_like_its_original_passes():
    tried = try_sums(SUMS + 1e-6)

    assert tried.spec.trial.rows == 20
    assert tried.difference == pytest.approx(1e-6, rel=0.01)
    assert tried.spec.sample_rows == tuple(
        {"x0": row["x0"], "x1": 1.0} for row in ROWS[:KEPT_SAMPLE_ROWS]
    )
    assert tried.examples[3] == ({"x0": 3.0, "x1": 1.0}, 4.0)


def test_a_model_that_answers_otherwise_than_its_original_is_refused():
    outputs = SUMS.copy()
    outputs[7] = 8.01

    with pytest.raises(
        TrialFailed, match=r"the original predicts 8\.01 for sample row 7, the published form 8\.0"
    ):
        try_sums(outputs)

    assert try_sums(outputs, tolerance=0.1).difference == pytest.approx(0.01 / 8.01)


def test_without_an_original_nothing_is_compared():
    assert try_sums(None).difference is None


def test_without_samples_the_rows_of_the_card_are_tried():
    spec = SPEC.model_copy(update={"sample_rows": ({"x0": 1.0, "x1": 2.0},)})

    tried = try_it(ImportedModel(spec, summing_graph()))

    assert tried.report.answers == [3.0]
    assert tried.spec.sample_rows == spec.sample_rows


@pytest.mark.slow
def test_a_river_model_without_samples_is_tried_on_synthetic_rows():
    tried = try_it(ImportedModel(constant_spec("m", 1), constant_artifact(1)))

    assert tried.report.rows == 32
    assert tried.spec.sample_rows == ()


def test_a_model_that_predicts_only_after_its_first_labels_is_compared_with_nothing():
    report = TrialReport(0, 0.1, 0.0, 0.0, [])

    assert compare("m", Samples(ROWS, SUMS), report) is None


def test_a_model_that_never_ends_is_refused():
    with pytest.raises(TrialFailed, match="did not end within 1 s"):
        try_it(ImportedModel(SPEC, looping_graph(), Samples(ROWS)), TrialLimits(seconds=1.0))


def test_rows_are_kept_as_the_model_got_them():
    schema = InputSchema(
        features=(
            Feature(name="x", kind="float", missing=True),
            Feature(name="n", kind="int"),
            Feature(name="word", kind="string", missing=True),
        )
    )
    card = constant_spec("m", 1).model_copy(update={"input_schema": schema})
    rows = [{"x": float("nan"), "n": np.int64(3), "word": None}, {"n": 2.0, "word": "a", "z": 1}]

    kept = keep_rows(card, rows)

    assert kept == [{"x": None, "n": 3, "word": None}, {"x": None, "n": 2, "word": "a"}]


def test_very_long_rows_are_not_kept():
    schema = InputSchema(features=(Feature(name="word", kind="string"),))
    card = constant_spec("m", 1).model_copy(update={"input_schema": schema})
    rows = [{"word": "short"}, {"word": "x" * 200_000}, {"word": "short"}]

    assert keep_rows(card, rows) == [{"word": "short"}]
