"""Every task's numbers become outputs by name and tensors."""

import numpy as np
import pytest

from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Prediction, SourcePosition
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.processors.predict.outputs import as_tensors, by_name
from tests.processors.small_fixtures import TWO_FLOATS, make_card

SERIES = InputSchema(
    features=(
        Feature(name="period", kind="int"),
        Feature(name="horizon", kind="int", low=1, high=3),
    )
)
FORECASTS = np.array([[7, 1.5, 2.5, np.nan], [8, 1.0, np.nan, np.nan]])


@pytest.mark.parametrize(
    ("task", "score", "outputs"),
    [
        ("binary", 0.25, {"probability": 0.25}),
        ("regression", 3.5, {"value": 3.5}),
        ("anomaly", 0.75, {"score": 0.75}),
    ],
)
def test_one_number_has_the_name_of_its_task(task, score, outputs):
    known = make_card(schema=TWO_FLOATS, task=task)

    assert by_name(known, np.float64(score)) == outputs
    (tensor,) = as_tensors(known, np.array([score]))
    assert (tensor.name, tensor.data) == (*outputs, [score])


def test_a_forecast_ends_where_its_row_asked():
    known = make_card(schema=SERIES, task="forecast", classes=())

    found = [by_name(known, score) for score in FORECASTS]

    assert found == [{"forecast": [1.5, 2.5], "period": 7}, {"forecast": [1.0], "period": 8}]


def test_forecasts_as_tensors_are_as_wide_as_the_longest_and_cross_the_wire():
    known = make_card(schema=SERIES, task="forecast", classes=())
    source = SourcePosition(topic="t", partition=0, offset=0)

    sent = Prediction(
        id="r", model="m", version=1, outputs=as_tensors(known, FORECASTS), source=source
    )
    values, periods = decode(Prediction, encode(sent)).outputs

    assert (values.shape, periods.data) == ((2, 2), [7, 8])
    np.testing.assert_array_equal(values.data, [1.5, 2.5, 1.0, np.nan])
