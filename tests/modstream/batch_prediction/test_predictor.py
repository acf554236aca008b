"""A table is answered as a worker answers its rows, one request for each."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.broker.wire.contracts import Request
from modstream.models.schema.card import TensorSpec
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.serving.loaded_models import LoadedModel
from modstream.processors.errors import TensorsExpected
from modstream.processors.predict.engine import InferenceEngine, Rejection
from modstream.processors.predict.model_resolver import SingleModelProvider
from modstream.processors.predict.settings import InferenceSettings
from tests.modstream.batch_prediction.versions import (
    FAILING,
    SCHEMA,
    WITHOUT_OUTPUT,
    Sums,
    card_of,
    predictor_of,
)

FLOATS = st.one_of(st.none(), st.floats(width=64), st.floats(-9, 9))
WHOLE = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.one_of(st.none(), st.text(max_size=3))
NUMBERS = st.one_of(
    st.lists(st.sampled_from([None, 1, FAILING, WITHOUT_OUTPUT]), min_size=1, max_size=6).map(
        lambda values: pa.array(values, pa.int64())
    ),
    st.lists(WHOLE, min_size=1, max_size=6).map(lambda values: pa.array(values, pa.int64())),
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=6).map(
        lambda values: pa.array(values, pa.uint64())
    ),
    st.lists(st.one_of(FLOATS, st.just(3.0)), min_size=1, max_size=6).map(
        lambda values: pa.array(values, pa.float64())
    ),
    st.lists(st.booleans(), min_size=1, max_size=6).map(pa.array),
    st.lists(st.text(max_size=2), min_size=1, max_size=6).map(pa.array),
)


@st.composite
def tables(draw):
    """Draw a table with a column for each feature, of any type that a file may have."""
    numbers = draw(NUMBERS)
    size = len(numbers)

    def column(values, kinds):
        drawn = draw(st.lists(values, min_size=size, max_size=size))
        return pa.array(drawn, draw(st.sampled_from(kinds)))

    text_kinds = [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]
    return pa.table(
        {
            "x": column(FLOATS, [pa.float64()]),
            "y": column(st.one_of(FLOATS, st.integers(-5, 5).map(float)), [pa.float64()]),
            "n": numbers,
            "b": column(st.one_of(st.none(), st.booleans()), [pa.bool_()]),
            "s": column(TEXTS, text_kinds),
            "t": draw(st.sampled_from([column(TEXTS, text_kinds), pa.nulls(size)])),
        }
    )


def answers_of_engine(runtime, card, table):
    """Return the value or the error code of each row as a request of its own."""
    provider = SingleModelProvider(LoadedModel(card, runtime), frozenset({card.name}))
    engine = InferenceEngine(provider, InferenceSettings((card.name,)))
    requests = [
        Request.model_construct(
            id="any", features=row, inputs=None, model=card.name, version=card.version
        )
        for row in table.to_pylist()
    ]
    return [
        one.reason.code if isinstance(one, Rejection) else one.outputs
        for (one,) in engine.infer(requests)
    ]


@given(tables())
def test_each_row_is_answered_as_a_request(table):
    card = card_of()
    expected = answers_of_engine(Sums(), card, table)

    found = predictor_of(Sums(), card).predict(table).to_pylist()

    assert [row["error"] or {"value": row["value"]} for row in found] == expected
    assert all((row["value"] is None) == (row["error"] is not None) for row in found)


def test_the_kept_columns_and_the_version_are_beside_the_outputs():
    table = pa.table({"x": [1.0, None], "id": ["a", "b"], "value": [7, 8]})
    schema = InputSchema(features=(Feature(name="x", kind="float", missing=True),))

    class Echo:
        name = "echo"

        def predict(self, batch):
            return np.nan_to_num(batch.columns["x"], nan=0.5)

    found = predictor_of(Echo(), card_of(schema=schema), ("id", "value")).predict(table)

    assert found.column_names == ["id", "value", "output.value", "model", "version", "error"]
    assert found.to_pylist() == [
        {"id": "a", "value": 7, "output.value": 1.0, "model": "m", "version": 3, "error": None},
        {"id": "b", "value": 8, "output.value": 0.5, "model": "m", "version": 3, "error": None},
    ]


@pytest.mark.parametrize("classes", [("a", "b", "c"), (1, 2, 3), ("a", 2, True)])
def test_a_classification_has_its_label_and_a_field_for_each_class(classes):
    schema = InputSchema.of_floats(["x"])

    class Classes:
        name = "classes"

        def predict(self, batch):
            x = batch.columns["x"]
            return np.stack([0 * x + 0.25, x, 0.75 - x], axis=1)

    card = card_of("multiclass", schema, classes=classes)
    table = pa.table({"x": [0.5, math.nan, 0.1]})

    found = predictor_of(Classes(), card).predict(table).to_pylist()

    is_uniform = len({type(one) for one in classes}) == 1
    first, second, third = (one if is_uniform else str(one) for one in classes)
    assert [row["label"] for row in found] == [second, None, third]
    assert found[0]["probabilities"] == dict(zip(map(str, classes), (0.25, 0.5, 0.25), strict=True))
    assert (found[1]["probabilities"], found[1]["error"]) == (None, "not_finite")
    assert first != second


def test_a_forecast_is_a_list_with_its_first_period():
    horizon = Feature(name="horizon", kind="int", high=3)
    schema = InputSchema(features=(Feature(name="period", kind="int"), horizon))

    class Forecasts:
        name = "forecasts"

        def predict(self, batch):
            period, wanted = batch.columns["period"], batch.columns["horizon"]
            steps = np.arange(3)
            values = np.where(steps < wanted[:, None], period[:, None] + steps, np.nan)
            return np.concatenate([period[:, None], values], axis=1)

    table = pa.table({"period": [7, 9, None], "horizon": [2, 3, 1]})

    found = predictor_of(Forecasts(), card_of("forecast", schema)).predict(table).to_pylist()

    assert [(row["forecast"], row["period"]) for row in found] == [
        ([7.0, 8.0], 7), ([9.0, 10.0, 11.0], 9), (None, None),
    ]  # fmt: skip
    assert found[2]["error"] == "wrong_type"


def test_named_outputs_that_are_mappings_are_json():
    schema = InputSchema.of_floats(["x"])

    class Margins:
        name = "margins"

        def predict_rows(self, batch):
            return [
                {"label": "a" if x > 0 else "b", "margins": {"a": x, "b": -x}}
                for x in batch.columns["x"].tolist()
            ]

    card = card_of("multiclass", schema, classes=("a", "b"), scores="margin")
    table = pa.table({"x": [2.0, -1.0, None]})

    found = predictor_of(Margins(), card).predict(table).to_pylist()

    assert [row["label"] for row in found] == ["a", "b", None]
    assert json.loads(found[0]["margins"]) == {"a": 2.0, "b": -2.0}
    assert found[2]["error"] == "wrong_type"


def test_an_empty_table_has_the_same_columns():
    table = SCHEMA_TABLE.slice(0, 0)

    found = predictor_of(Sums(), card_of()).predict(table)

    assert found.schema == predictor_of(Sums(), card_of()).predict(SCHEMA_TABLE).schema
    assert found.num_rows == 0


def test_a_model_of_tensors_is_refused():
    tensor = TensorSpec(name="image", datatype="FP32", shape=(1,))
    card = card_of("tensors", InputSchema(features=()), input_tensors=(tensor,))

    with pytest.raises(TensorsExpected):
        predictor_of(None, card)


SCHEMA_TABLE = pa.table(
    {"x": [1.0], "y": [1.0], "n": [1], "b": [True], "s": ["a"], "t": [None]}
).cast(
    pa.schema([(one.name, {"float": pa.float64(), "int": pa.int64(), "bool": pa.bool_(),
                           "string": pa.string()}[one.kind]) for one in SCHEMA.features])
)  # fmt: skip
