"""The engine on columns: failing rows are found one by one, and pipelines run with their steps."""

import numpy as np
import pytest

from modstream.broker.wire.contracts import Request
from modstream.models.errors import PredictError
from modstream.models.runtimes.pipeline_runtime import load
from modstream.models.schema.input_schema import Batch, Feature
from modstream.processors.predict.column_engine import ColumnEngine
from modstream.processors.predict.engine import InferenceEngine, Rejection
from modstream.processors.predict.model_resolver import FixedModelProvider, SingleModelProvider
from modstream.processors.predict.settings import InferenceSettings
from tests.processors.pipeline_models import FAILS_AT, PlainModel, make_card
from tests.processors.predict.test_pipelines import TEXT
from tests.processors.small_fixtures import StubLoadedModel

X = [Feature(name="x", kind="float")]


def fails_at(columns):
    if (columns["x"] == FAILS_AT).any():
        raise PredictError("plain", "fails")
    return np.where(columns["x"] == 0, np.nan, columns["x"] + 1)


def batch_of(*values):
    return Batch({"x": np.array(values, np.float64)}, len(values))


def test_a_row_that_fails_and_a_row_without_output_cost_no_other_row_its_output():
    engine = ColumnEngine(PlainModel(make_card("plain"), fails_at))

    outputs, refusals = engine.infer(batch_of(1, FAILS_AT, 2, 0, FAILS_AT, 3, 4))

    assert {at: one.code for at, one in refusals.items()} == dict.fromkeys((1, 3, 4), "no_output")
    assert [outputs[at] for at in (0, 2, 5, 6)] == [2, 3, 4, 5]


def test_a_batch_without_rows_has_no_outputs():
    outputs, refusals = ColumnEngine(PlainModel(make_card("plain"), fails_at)).infer(batch_of())

    assert (len(outputs), refusals) == (0, {})


@pytest.mark.parametrize("values", [(1.0, 2.0, 3.0), (1.0, FAILS_AT, 3.0)])
def test_a_pipeline_answers_each_row_as_a_request(values):
    card = make_card("p", X, "pipeline", runtime="pipeline")
    pipeline = StubLoadedModel(card, load(TEXT, card))
    stepped = PlainModel(make_card("stepped"), fails_at)
    steps = FixedModelProvider({("stepped", "champion"): stepped})
    whole = SingleModelProvider(pipeline, frozenset({"p"}), steps)
    requests = [Request(id=str(at), features={"x": x}) for at, x in enumerate(values)]
    expected = InferenceEngine(whole, InferenceSettings(("p",))).infer(requests)

    outputs, refusals = ColumnEngine(pipeline, steps).infer(batch_of(*values))

    for at, (response,) in enumerate(expected):
        if isinstance(response, Rejection):
            assert refusals[at].code == response.reason.code
        else:
            assert outputs[at] == response.outputs
    assert len(refusals) == sum(isinstance(one, Rejection) for (one,) in expected)
