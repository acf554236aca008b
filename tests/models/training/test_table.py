"""Labelled rows of a table."""

import pandas as pd
import pytest

from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.training.errors import UnusableTable
from modstream.models.training.table import TableRoles, read_table
from tests.models.training.training_datasets import card_of


def table(**columns):
    base = {"n": [1, 2, 3, 4], "late": [True, False, True, False]}
    return pd.DataFrame({**base, **columns})


def test_kinds_and_missing_values_are_read_from_the_columns():
    frame = table(s=["a", None, "b", "c"], f=[1.0, 2.0, None, 4.0], b=[True, True, False, True])

    found = read_table(frame, TableRoles("late"), "m")

    kinds = {one.name: (one.kind, one.missing) for one in found.card.input_schema.features}
    assert kinds == {
        "n": ("int", False),
        "s": ("string", True),
        "f": ("float", True),
        "b": ("bool", False),
    }
    assert found.batch.columns["s"].tolist() == ["a", None, "b", "c"]
    assert (found.card.task, found.classes, found.has_champion) == ("binary", (False, True), False)


def test_rows_are_in_the_order_of_time_and_the_time_is_no_feature():
    found = read_table(table(at=[4, 3, 2, 1]), TableRoles("late", time="at"), "m")

    assert found.batch.columns["n"].tolist() == [4, 3, 2, 1]
    assert list(found.labels) == [False, True, False, True]
    assert found.card.input_schema.names == ("n",)


def test_rows_without_a_label_are_left_out():
    frame = table(late=pd.array([True, None, False, True], dtype="boolean"))

    found = read_table(frame, TableRoles("late"), "m")

    assert found.batch.columns["n"].tolist() == [1, 3, 4]
    assert list(found.labels) == [True, False, True]


@pytest.mark.parametrize(
    ("labels", "task"),
    [
        (["a", "b", "c", "a"], "multiclass"),
        (["yes", "no", "yes", "no"], "binary"),
        ([0, 1, 1, 0], "binary"),
        ([1.5, 2.5, 3.5, 4.5], "regression"),
        ([1, 2, 3, 4], "multiclass"),
    ],
)
def test_the_task_is_read_from_the_labels(labels, task):
    assert read_table(table(late=labels), TableRoles("late"), "m").card.task == task


def test_a_feature_keeps_the_champions_kind_and_new_ones_are_added():
    schema = InputSchema(features=(Feature(name="n", kind="float", low=0.0),))

    found = read_table(
        table(extra=[1, 2, 3, 4]), TableRoles("late"), "m", card_of("binary", schema)
    )

    features = {one.name: one for one in found.card.input_schema.features}
    assert (features["n"].kind, features["n"].low) == ("float", 0.0)
    assert features["extra"].kind == "int"
    assert found.has_champion


@pytest.mark.parametrize(
    ("frame", "roles", "reason"),
    [
        (table(), TableRoles("x"), "there is no column 'x'; its columns are n, late"),
        (table(), TableRoles("late", time="t"), "there is no column 't'"),
        (table(), TableRoles("late", ignored=frozenset({"n"})), "no column besides"),
        (table(late=[None] * 4), TableRoles("late"), "no row has a value"),
        (
            table(d=pd.to_datetime(["2026-01-01"] * 4)),
            TableRoles("late"),
            "leave it out with --ignore d, or name it with --time",
        ),
        (table(late=["a", "b", "c", "d"]), TableRoles("late", task="binary"), "two classes"),
        (table(late=["a", "b", "c", "d"]), TableRoles("late", task="regression"), "are numbers"),
        (table(late=["a", True, "b", "b"]), TableRoles("late", task="regression"), "texts"),
    ],
)
def test_an_unusable_table_is_refused_with_the_reason(frame, roles, reason):
    with pytest.raises(UnusableTable, match=reason):
        read_table(frame, roles, "m")


def test_a_label_that_the_champion_does_not_know_is_refused():
    with pytest.raises(UnusableTable, match="'maybe' is not one of the classes"):
        read_table(
            table(late=["low", "mid", "high", "maybe"]),
            TableRoles("late"),
            "m",
            card_of("multiclass", InputSchema.of_floats(["n"])),
        )
