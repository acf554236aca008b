"""Steps on whole data sets and on rows of a stream: the same definition, the same values."""

import math
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.datasets.catalogue import Catalogue
from modstream.datasets.dataset import Provenance
from modstream.datasets.errors import StepsInvalid, WrangleFailed
from modstream.datasets.staged_version import Description
from modstream.models.datasets.wrangle_kinds import StepProblem
from modstream.models.datasets.wrangle_steps import WrangleSteps
from modstream.operations.datasets.arrow_values import schema_of, to_batch, to_table
from modstream.operations.datasets.wrangle import read_steps, wrangle_dataset, wrangler_of
from modstream.processors.wrangle.wrangler import Wrangler

KINDS = {"x": "float", "y": "float", "n": "int", "flag": "bool", "word": "string"}
TYPES = {"float": pa.float64(), "int": pa.int64(), "bool": pa.bool_(), "string": pa.string()}
SCHEMA = pa.schema([(name, TYPES[kind]) for name, kind in KINDS.items()])
FLOATS = st.floats(-100, 100) | st.sampled_from([0.0, -0.0, 1.0, math.nan])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "x": st.none() | FLOATS,
            "y": st.none() | FLOATS,
            "n": st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3),
            "flag": st.none() | st.booleans(),
            "word": st.none() | st.sampled_from(["", "a", "b", "3", "1.5"]),
        }
    ),
    max_size=12,
)
STEPS = st.lists(
    st.sampled_from(
        [
            {"derive": {"ratio": "x / y"}, "on_error": "missing"},
            {"derive": {"ratio": "x / y", "root": "sqrt(x)"}},
            {"derive": {"x": "x + 1", "y": "x * n"}, "on_error": "missing"},
            {"derive": {"big": "x if x > y else n", "near": "coalesce(x, n, 0)"}},
            {"derive": {"text": "str(n)", "other": "str(x)", "yes": "not flag"}},
            {"derive": {"number": "float(word)"}, "on_error": "missing"},
            {"derive": {"gone": "is_missing(word)", "whole": "int(x)"}},
            {"derive": {"known": "word in ('a', 'b') and x > 0"}},
            {"combine": {"route": ["word", "n", "flag"]}, "separator": "/"},
            {"filter": "x > 0 or flag"},
            {"filter": "1 / x > 0.5"},
            {"filter": "1 / x > 0.5", "on_error": "missing"},
            {"clip": {"x": [-1, 2.5], "n": [-1, 1]}},
            {"fill": {"x": 7, "word": "none", "flag": False, "n": 0}},
            {"rename": {"word": "term", "term": "word"}},
            {"drop": ["flag"]},
        ]
    ),
    min_size=1,
    max_size=4,
)
# One row after another: what the worker has of a stream.
SIZES = st.sampled_from([1, 2, 5, 100])


def parts(rows, size):
    return [rows[first : first + size] for first in range(0, len(rows), size)]


def plain(rows):
    """Rows with their types, and NaN as it is in a stream."""
    return [{name: (type(value).__name__, value) for name, value in row.items()} for row in rows]


def in_batches(wrangler, rows, size):
    schema = schema_of(wrangler.kinds_after, {})
    made, failures, first = [], {}, 0
    for part in parts(rows, size):
        batch = pa.RecordBatch.from_pylist(part, SCHEMA)
        table = wrangler.run(to_table(batch, first))
        made += to_batch(table, schema).to_pylist()
        failures |= table.failures
        first += len(part)
    return plain(made), failures


def in_rows(wrangler, rows, size):
    made, failures, first = [], {}, 0
    for part in parts(rows, size):
        found = wrangler.wrangle_rows(part)
        made += found.rows
        failures |= {first + at: why for at, why in found.failures.items()}
        first += len(part)
    return plain(made), failures


@given(ROWS, STEPS, SIZES, SIZES)
def test_columns_and_rows_are_wrangled_alike(rows, steps, batch_size, row_size):
    try:
        wrangler = Wrangler(WrangleSteps.model_validate({"step": steps}).step, KINDS)
    except StepProblem:
        return  # A column that an earlier step has dropped, or renamed.

    assert in_batches(wrangler, rows, batch_size) == in_rows(wrangler, rows, row_size)


@pytest.fixture
def catalogue(tmp_path):
    return Catalogue(tmp_path / "data")


@pytest.fixture
def dataset(catalogue):
    table = pa.table(
        {
            "x": [1.0, None, 3.0, math.nan, 5.0, 8.0],
            "n": [1, 2, None, 4, 5, 6],
            "place": ["a", "b", "a", None, "b", "a"],
            "late": [True, False, None, True, False, True],
            "time": [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 7)],
        }
    )
    with catalogue.create("things") as staged:
        staged.write_table(table)
        origin = Provenance(operation="ingest", source="here")
        return staged.commit(Description(origin, label="late", time_column="time"))


def run(catalogue, dataset, *steps):
    definition = WrangleSteps.model_validate({"step": list(steps)})
    return wrangle_dataset(catalogue, dataset, definition, "made")


def test_a_new_data_set_names_its_parent_and_keeps_roles(catalogue, dataset):
    made = run(
        catalogue, dataset,
        {"rename": {"late": "label", "time": "when"}},
        {"derive": {"double": "2 * x", "n": "n + 1"}},
        {"filter": "x >= 3"},
    )  # fmt: skip

    assert made.read_table(["x", "double", "n", "label"]).to_pylist() == [
        {"x": 3.0, "double": 6.0, "n": None, "label": None},
        {"x": 5.0, "double": 10.0, "n": 6.0, "label": False},
        {"x": 8.0, "double": 16.0, "n": 7.0, "label": True},
    ]
    assert (str(made.parent), made.label, made.time_column) == ("things@1", "label", "when")
    assert {one.name: one.kind for one in made.columns}["when"] == "timestamp"
    assert catalogue.open("things").rows == 6


def test_the_steps_of_a_data_set_run_on_rows_of_a_stream(catalogue, dataset):
    made = run(
        catalogue, dataset,
        {"fill": {"x": {"with": "median"}, "place": {"with": "most_frequent"}}},
        {"derive": {"high": "x > 4"}},
        {"drop": ["time", "late"]},
    )  # fmt: skip

    found = wrangler_of(made).wrangle_rows([{"x": None, "n": 1}, {"x": "no number", "n": 2}])

    assert made.read_table(["x"]).column("x").to_pylist() == [1.0, 4.0, 3.0, 4.0, 5.0, 8.0]
    assert found.rows == [{"x": 4.0, "n": 1, "place": "a", "high": False}]
    assert found.positions == [0]
    assert found.failures[1][0] == "0 (input)"
    with pytest.raises(StepsInvalid, match="not made by wrangling"):
        wrangler_of(dataset)


def test_aggregates_have_one_row_for_each_group(catalogue, dataset):
    made = run(
        catalogue, dataset,
        {
            "by": ["place"],
            "aggregate": {
                "rows": "count()", "known": "count(x)", "mean": "mean(x)", "late": "mean(late)",
                "sum": "sum(n)", "days": "distinct(time)", "top": "max(x)", "wide": "deviation(x)",
            },
        },
        {"derive": {"share": "known / rows"}},
    )  # fmt: skip

    a, b, missing = made.read_table().to_pylist()
    assert a == {
        "place": "a", "rows": 3, "known": 3, "mean": 4.0, "late": 1.0, "sum": 7, "days": 3,
        "top": 8.0, "wide": pytest.approx(2.943920), "share": 1.0,
    }  # fmt: skip
    assert (b["known"], b["mean"], b["share"]) == (1, 5.0, 0.5)
    assert (missing["place"], missing["rows"], missing["mean"]) == (None, 1, None)
    with pytest.raises(StepsInvalid, match=r"step 1 \(aggregate\) needs all rows"):
        wrangler_of(made)


def test_a_pivot_has_one_column_for_each_value(catalogue, dataset):
    made = run(
        catalogue, dataset,
        {"filter": "not is_missing(late)"},
        {"pivot": {"rows": ["late"], "columns": "place", "values": "x", "statistic": "max"}},
    )  # fmt: skip

    assert made.read_table().to_pylist() == [
        {"late": False, "place_a": None, "place_b": 5.0, "place_missing": None},
        {"late": True, "place_a": 8.0, "place_b": None, "place_missing": None},
    ]


def test_rows_without_a_result_are_named(catalogue, dataset):
    with pytest.raises(WrangleFailed, match=r"step 1 \(ratio\) has no result for 2 rows.*row 4"):
        run(catalogue, dataset, {"name": "ratio", "derive": {"r": "sqrt(4 - x)"}})

    assert catalogue.names() == ["things"]


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ({"drop": ["z"]}, "no column z: the columns are x, n"),
        ({"derive": {"y": "x + place"}}, "takes float or int, not string"),
        ({"derive": {"y": "x +"}}, "no expression"),
        ({"derive": {"y": "time"}}, "nothing can be computed from time"),
        ({"filter": "x"}, "neither true nor false"),
        ({"rename": {"x": "n"}}, "two columns would be called n"),
        ({"combine": {"c": ["x"]}}, "x is float"),
        ({"clip": {"n": [0, 1.5]}}, "whole numbers"),
        ({"fill": {"n": "a"}}, "n is int"),
        ({"fill": {"place": {"with": "mean"}}}, "place is string: only floats"),
        ({"aggregate": {"m": "mean(place)"}}, "place is string and has no mean"),
        ({"aggregate": {"m": "mode(x)"}}, "none of count"),
        ({"pivot": {"rows": ["z"], "columns": "place", "values": "x"}}, "no column z"),
    ],
)
def test_a_step_that_does_not_fit_is_refused_with_its_number(step, reason, catalogue, dataset):
    with pytest.raises(StepsInvalid, match=reason) as refusal:
        run(catalogue, dataset, {"keep": ["x", "n", "place", "late", "time"]}, step)

    assert "step 2" in str(refusal.value)
    assert catalogue.names() == ["things"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[step]]\nkeep = ['a']\ndrop = ['b']", "exactly one of"),
        ("[[step]]\nfiler = 'x'", "exactly one of"),
        ("[[step]]\nclip = { x = [2, 1] }", "greater than"),
        ("[[step]]\nderive = {}", "at least 1"),
        ("", "Field required"),
        ("step", "Expected"),
    ],
)
def test_a_file_with_faults_is_refused_with_the_place(text, reason, tmp_path):
    path = tmp_path / "steps.toml"
    path.write_text(text)

    with pytest.raises(StepsInvalid, match=reason):
        read_steps(path)


def test_a_file_of_steps_is_read(tmp_path):
    path = tmp_path / "steps.toml"
    path.write_text(
        "[[step]]\nname = 'speed'\nderive = { speed = 'distance / time' }\n\n"
        "[[step]]\nfill = { a = { with = 'mean' }, b = 'none', c = true, d = 1 }\n"
    )

    assert list(read_steps(path).labels()) == ["1 (speed)", "2 (fill)"]
