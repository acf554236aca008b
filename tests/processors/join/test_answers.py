"""The outputs of tensors, read by row and by name as a request by name would get them."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import ColumnNames, OutputTensor, Prediction, Tensor
from modstream.broker.wire.fast_codec import join_columns
from modstream.processors.join.answers import MAX_ROWS_BYTES, Unlabellable, rows_of
from modstream.processors.predict.outputs import (
    as_tensors,
    by_name,
    named_tensors,
    tensor_columns,
)
from tests.processors.join.join_log import SOURCE
from tests.processors.small_fixtures import make_card

NAN = float("nan")
SCORES = {
    "binary": np.array([0.25, 1.0, 0.0]),
    "regression": np.array([-1e300, 0.0, 7.5]),
    "anomaly": np.array([0.1, 0.2, 0.3]),
    "multiclass": np.array([[0.1, 0.7, 0.2], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]),
    "forecast": np.array([[4, 1.0, 2.0, NAN], [5, 1.5, NAN, NAN], [6, 0.0, 0.0, 0.0]]),
}
CLASSES = {"multiclass": [("a", "b", "c"), (3, 1, 2), (True, False, "maybe"), (1, "1", 2.5)]}
CASES = [
    (task, classes)
    for task in SCORES
    for classes in CLASSES.get(task, [(0, 1)] if task == "binary" else [()])
]


def answer(outputs, **fields):
    return Prediction(id="a", model="m", version=1, outputs=outputs, source=SOURCE, **fields)


def received(message):
    """Return a prediction as the joiner reads it."""
    return decode(Prediction, encode(message))


@pytest.mark.parametrize(("task", "classes"), CASES)
def test_outputs_of_tensors_equal_the_outputs_by_name(task, classes):
    card, scores = make_card(task=task, classes=classes), SCORES[task]

    found = rows_of(received(answer(as_tensors(card, scores))))

    assert list(found.outputs) == [by_name(card, score) for score in scores]


@pytest.mark.parametrize(("task", "classes"), [case for case in CASES if case[0] != "forecast"])
def test_outputs_of_the_fast_path_equal_the_outputs_by_name(task, classes):
    card, scores = make_card(task=task, classes=classes), SCORES[task]

    written = [json.loads(one) for one in join_columns(tensor_columns(card, scores))]
    found = [rows_of(received(answer(tuple(one)))).outputs for one in written]

    assert found == [[by_name(card, score)] for score in scores]


@pytest.mark.parametrize(
    "rows",
    [
        [
            {"label": "a", "margins": {"a": -1.5, "b": 2.0}},
            {"label": "b", "margins": {"a": 1.0, "b": -2.0}},
        ],
        [{"label": 1, "margin": -1.5}, {"label": 0, "margin": 0.5}],
        [{"values": {"x": 1.5, "y": 2.0}}, {"values": {"x": 0.5, "y": 3.0}}],
        [{"labels": {"x": "u", "y": "v"}}, {"labels": {"x": "u", "y": "w"}}],
        [{"label": 2, "distances": {"0": 3.0, "1": 2.0, "2": 0.5}}],
    ],
    ids=["margins", "margin", "targets", "multioutput", "clusters"],
)  # fmt: skip
def test_named_outputs_of_tensors_equal_the_outputs_by_name(rows):
    found = rows_of(received(answer(named_tensors(rows))))

    assert list(found.outputs) == rows


@pytest.mark.parametrize(
    ("tensor", "names"),
    [
        (Tensor(name="y", shape=(1, 3), datatype="FP32", data=[1, 2]), None),
        (Tensor(name="y", shape=(0,), datatype="FP32", data=[]), None),
        (Tensor(name="y", shape=(1, 0), datatype="FP32", data=[]), None),
        (Tensor(name="y", shape=(1, 2), datatype="FP32", data=[1, 2]), ("only one",)),
        (Tensor(name="probabilities", shape=(2,), datatype="FP32", data=[1, 2]), ("a", "b")),
    ],
)
def test_damaged_tensors_are_not_learnable(tensor, names):
    if names is not None:
        tensor = OutputTensor(**dict(tensor), parameters=ColumnNames(columns=names))

    found = rows_of(answer((tensor,)))

    assert isinstance(found, Unlabellable)
    assert found.reason == "not_learnable"


def test_rows_that_are_large_only_by_name_are_not_kept():
    names = [f"{'n' * 1000}{column}" for column in range(40)]
    size = MAX_ROWS_BYTES // 40_000 + 1
    compact = {"names": names, "rows": size, "data": [0.0] * 40 * size}
    message = received(answer(tuple({"value": 1.0} for _ in range(size)), features=compact))

    found = rows_of(message)

    assert (found.reason, found.rows) == ("features_not_recorded", size)


@pytest.mark.slow
@given(
    st.lists(
        st.builds(
            Tensor,
            name=st.sampled_from(["label", "probabilities", "y"]),
            shape=st.lists(st.integers(0, 3), max_size=3).map(tuple),
            datatype=st.just("FP64"),
            data=st.lists(st.none() | st.floats() | st.text(max_size=2), max_size=9),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_any_tensors_are_read_or_refused(tensors):
    found = rows_of(answer(tuple(tensors)))

    if not isinstance(found, Unlabellable):
        assert len(found.outputs) == tensors[0].shape[0]
