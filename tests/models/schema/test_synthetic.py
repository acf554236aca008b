import pytest

from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.synthetic import synthetic_batch


def feature(kind, low=None, high=None) -> Feature:
    return Feature(name="x", kind=kind, low=low, high=high)


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        (feature("float"), [0.0, 0.5, 1.0]),
        (feature("float", low=-2.0, high=4.0), [-2.0, 1.0, 4.0]),
        (feature("float", low=10.0), [10.0, 10.0, 10.0]),
        (feature("float", high=-10.0), [-10.0, -10.0, -10.0]),
        (feature("float", low=-1e308, high=1e308), [-1e308, 0.0, 1e308]),
        (feature("int", low=0.0, high=100.0), [0, 50, 100]),
        (feature("bool"), [False, False, True]),
        (feature("string"), ["warm-up"] * 3),
    ],
)
def test_synthetic_rows_are_valid_and_span_the_range_of_their_feature(feature, expected):
    batch = synthetic_batch(InputSchema(features=(feature,)), rows=3)

    assert batch.rows() == [{"x": value} for value in expected]
