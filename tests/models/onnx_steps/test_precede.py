"""Steps in an ONNX graph: the values that the same steps have on columns."""

import json
import math
import re

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from modstream.models.datasets.wrangle_steps import WrangleSteps
from modstream.models.errors import StepsNotServable
from modstream.models.onnx_steps.precede import STEPS_KEY, precede
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.processors.wrangle.wrangler import Wrangler

TYPES = {
    "float": TensorProto.DOUBLE, "int": TensorProto.INT64, "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
}  # fmt: skip
RAW = (
    Feature(name="x", kind="float", missing=True),
    Feature(name="y", kind="float"),
    Feature(name="n", kind="int"),
    Feature(name="flag", kind="bool"),
    Feature(name="word", kind="string"),
)
KINDS = {one.name: one.kind for one in RAW}
FLOATS = (
    st.floats(-100, 100)
    | st.sampled_from([0.0, -0.0, 0.5, 1.5, 2.5, 1e308, -1e308, 1e19, 2.0**53 + 2])
    | st.integers(-3, 3).map(float)
)
WHOLE = (
    st.integers(-(2**63), 2**63 - 1)
    | st.integers(-3, 3)
    | st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1])
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "x": st.none() | FLOATS,
            "y": FLOATS,
            "n": WHOLE,
            "flag": st.booleans(),
            "word": st.sampled_from(["", "a", "b", "é", "None", "nan", "3"]),
        }
    ),
    min_size=1,
    max_size=8,
)
LEAVES = {
    "number": ["x", "y", "n", "0", "2", "-1.5", "9007199254740993"],
    "bool": ["flag", "True", "is_missing(x)"],
    "string": ["word", "'a'", "''", "str(n)", "str(flag)"],
}
SAME = ("==", "!=")
FORMS = {
    "bool": [
        *(f"({{number}} {sign} {{number}})" for sign in ("<", "<=", ">", ">=", "==", "!=")),
        *(f"({{{kind}}} {sign} {{{kind}}})" for kind in ("string", "bool") for sign in SAME),
        *(f"({{string}} in {words})" for words in ("('a', 'b')", "('é',)", "('None', '')")),
        *(f"({{number}} in {some})" for some in ("(1, 2)", "(9007199254740993, 0.5)", "(-0.0,)")),
        "(not {bool})", "({bool} and {bool})", "({bool} or {bool})", "bool({number})",
    ],
    "string": [
        "({string} if {bool} else {string})", "coalesce({string}, {string})", "str(int({number}))",
    ],
    "number": [
        *(f"({{number}} {sign} {{number}})" for sign in ("+", "-", "*", "/", "//", "%")),
        *(f"{name}({{number}})" for name in ("abs", "round", "floor", "ceil", "sqrt", "-")),
        "min({number}, {number}, 1)", "max({number}, {number}, 1)", "clip({number}, -2, 2.5)",
        "({number} if {bool} else {number})", "coalesce({number}, {number})", "float({number})",
        "int({number})", "float({bool})",
    ],
}  # fmt: skip
"""Every operation whose result in ONNX is equal to the last bit."""
HOLE = re.compile(r"\{(\w+)\}")


@st.composite
def expressions(draw, kind, depth=2):
    """Expressions of a kind."""
    if depth == 0:
        return draw(st.sampled_from(LEAVES[kind]))
    form = draw(st.sampled_from(FORMS[kind] + LEAVES[kind]))
    return HOLE.sub(lambda hole: draw(expressions(hole[1], depth - 1)), form)


@st.composite
def steps(draw):
    found = []
    for at in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["number", "bool", "string"]))
        name = draw(st.sampled_from([f"made{at}", "x", "n"])) if kind == "number" else f"made{at}"
        text = draw(expressions(kind))
        if name == "n":
            text = f"int({text})"
        elif name == "x":
            text = f"float({text})"
        found.append(
            {"derive": {name: text}, "on_error": draw(st.sampled_from(["fail", "missing"]))}
        )
    others = [
        {"combine": {"route": ["word", "n", "flag"]}, "separator": "/"},
        {"clip": {"x": [-1, 2.5], "n": [-1, 1]}},
        {"fill": {"x": 7}},
        {"rename": {"y": "z"}},
        {"rename": {"x": "y", "y": "x"}},
    ]
    found += draw(st.lists(st.sampled_from(others), max_size=2, unique_by=str))
    if {"rename": {"y": "z"}} in found:
        found = [one for one in found if one != {"rename": {"x": "y", "y": "x"}}]
    return draw(st.permutations(found))


def copying(features):
    """A graph that returns its inputs."""
    nodes = [helper.make_node("Identity", [one.name], [f"out {one.name}"]) for one in features]
    inputs = [
        helper.make_tensor_value_info(one.name, TYPES[one.kind], ["n", 1]) for one in features
    ]
    outputs = [
        helper.make_tensor_value_info(f"out {one.name}", TYPES[one.kind], ["n", 1])
        for one in features
    ]
    graph = helper.make_graph(nodes, "copying", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return model.SerializeToString()


def preceded(features, definition, raw=RAW):
    spec = VersionSpec(
        name="m", runtime="onnx", task="regression", input_schema=InputSchema(features=features)
    )
    return precede(spec, copying(features), definition.step, raw)


def run(artifact, schema, rows):
    """What a plain ONNX Runtime says, by row and by name."""
    session = ort.InferenceSession(artifact, providers=["CPUExecutionProvider"])
    batch = schema.parse_rows(rows).batch
    feeds = {name: column.reshape(-1, 1) for name, column in batch.columns.items()}
    outputs = session.run(None, feeds)
    names = [one.name.removeprefix("out ") for one in session.get_outputs()]
    columns = [output.ravel().tolist() for output in outputs]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def exact(value):
    return None if value is None else repr(value + 0.0) if isinstance(value, float) else repr(value)


@settings(deadline=None, max_examples=60)
@given(ROWS, steps())
def test_a_graph_has_the_values_of_the_steps_on_columns(rows, described):
    definition = WrangleSteps.model_validate({"step": described})
    try:
        wrangler = Wrangler(definition.step, KINDS)
    except ValueError:
        return  # The steps do not fit each other.
    features = tuple(
        Feature(name=name, kind=kind, missing=kind == "float")
        for name, kind in wrangler.kinds_after.items()
    )
    found = preceded(features, definition)

    needed = Wrangler(found.needed.steps, KINDS)
    expected = needed.wrangle_rows(rows)
    given_rows = run(found.artifact, found.spec.input_schema, rows)

    by_row = dict(zip(expected.positions, expected.rows, strict=True))
    for position, row in enumerate(given_rows):
        wanted = by_row.get(position)
        is_refused = wanted is None or any(
            wanted[one.name] is None for one in features if not one.missing
        )
        for one in features:
            value = row[one.name]
            if is_refused:
                assert one.kind != "float" or math.isnan(value)
            elif wanted[one.name] is None:
                assert math.isnan(value)
            else:
                assert exact(value) == exact(wanted[one.name]), (one.name, described)


def one_step(**step):
    return WrangleSteps.model_validate({"step": [step]})


def made(definition, kind="float", *, raw=RAW, name="made", missing=True):
    feature = Feature(name=name, kind=kind, missing=missing and kind == "float")
    return preceded((feature,), definition, raw)


def test_whole_numbers_beyond_two_to_the_53_stay_exact():
    definition = one_step(derive={"made": "n if n > 9007199254740992 else 0"})
    found = made(definition, "int")
    number = {"n": 2**53 + 1}
    assert run(found.artifact, found.spec.input_schema, [number]) == [{"made": 2**53 + 1}]


def test_a_known_word_is_told_from_an_unknown_one_and_from_the_word_for_nothing():
    found = made(one_step(derive={"made": "word in ('a', 'é')"}), "bool")
    rows = [{"word": word} for word in ("a", "é", "", "None", "nan", "A")]
    answers = [row["made"] for row in run(found.artifact, found.spec.input_schema, rows)]
    assert answers == [True, True, False, False, False, False]


@pytest.mark.parametrize("expression", ["exp(x)", "log(x)", "x ** y", "sqrt(x)"])
def test_powers_and_logarithms_are_equal_within_rounding(expression):
    definition = one_step(derive={"made": expression}, on_error="missing")
    found, wrangler = made(definition), Wrangler(definition.step, KINDS)
    base = {"n": 0, "flag": False, "word": ""}
    rows = [{"x": x / 7, "y": 1.5, **base} for x in range(-20, 60)] + [
        {"x": None, "y": 2.0, **base}
    ]
    wanted = [row["made"] for row in wrangler.wrangle_rows(rows).rows]
    given_rows = run(found.artifact, found.spec.input_schema, rows)
    expected = np.array([math.nan if one is None else one for one in wanted])
    np.testing.assert_allclose([row["made"] for row in given_rows], expected, rtol=4e-16)


def test_a_value_that_the_model_must_have_fails_its_row_only():
    definition = one_step(rename={"x": "made"})
    definition.step.append(one_step(clip={"made": [0, 5]}).step[0])
    found = made(definition, missing=False)
    answers = run(found.artifact, found.spec.input_schema, [{"x": None}, {"x": 9.0}])
    assert [str(row["made"]) for row in answers] == ["nan", "5.0"]


def test_a_column_that_no_step_computes_with_is_the_models_feature_under_its_own_name():
    feature = Feature(name="made", kind="float", low=0, high=5, sensitive=True)
    found = preceded((feature,), one_step(rename={"y": "made"}))
    assert found.spec.input_schema.features == (feature.model_copy(update={"name": "y"}),)


def test_a_column_behind_a_sensitive_feature_is_sensitive():
    feature = Feature(name="made", kind="float", missing=True, sensitive=True)
    found = preceded((feature,), one_step(derive={"made": "x + n"}))
    assert {one.name: one.sensitive for one in found.spec.input_schema.features} == {
        "x": True, "n": True,
    }  # fmt: skip


def test_only_what_the_model_needs_is_asked_for_and_the_artifact_names_the_steps():
    definition = one_step(derive={"made": "y + 1", "other": "x / n"})
    definition.step.append(one_step(drop=["word"]).step[0])
    found = made(definition)
    assert found.spec.input_schema.names == ("y",)
    model = onnx.load_model_from_string(found.artifact)
    (entry,) = [one for one in model.metadata_props if one.key == STEPS_KEY]
    assert json.loads(entry.value) == [{"derive": {"made": "y + 1"}}]
    onnx.checker.check_model(model, full_check=True)


def test_a_constant_has_a_value_in_each_row():
    definition = one_step(derive={"made": "2.5", "other": "y"})
    features = tuple(Feature(name=name, kind="float", missing=True) for name in ("made", "other"))
    found = preceded(features, definition)
    rows = run(found.artifact, found.spec.input_schema, [{"y": 1.0}, {"y": 2.0}])
    assert [row["made"] for row in rows] == [2.5, 2.5]


@pytest.mark.parametrize(
    ("step", "kind", "reason"),
    [
        ({"filter": "x > 0"}, "float", "leaves out rows"),
        ({"aggregate": {"made": "mean(x)"}}, "float", "needs all rows"),
        (
            {"pivot": {"rows": ["n"], "columns": "word", "values": "x"}},
            "float",
            "needs all rows",
        ),
        ({"fill": {"made": {"with": "median"}}}, "float", "name the data set"),
        ({"derive": {"made": "float(word)"}}, "float", "ends the run of all rows"),
        ({"derive": {"made": "str(x)"}}, "string", "another form"),
        ({"derive": {"made": "gone + 1"}}, "float", "--feature gone:KIND"),
        ({"derive": {"made": "x +"}}, "float", "is no expression"),
        ({"derive": {"made": "word + 1"}}, "float", "use a cast"),
        ({"derive": {"made": "word"}}, "float", "the model takes made as float"),
        ({"derive": {"made": "1"}}, "float", "depend on no column"),
    ],
)
def test_steps_that_cannot_run_before_a_model_are_refused_with_the_reason(step, kind, reason):
    with pytest.raises(StepsNotServable, match=reason):
        made(one_step(**step), kind)


def test_a_text_that_may_be_missing_is_refused():
    raw = (Feature(name="word", kind="string", missing=True),)
    with pytest.raises(StepsNotServable, match="has no missing strings"):
        made(one_step(derive={"made": "word == 'a'"}), "bool", raw=raw)


def test_labels_alone_cannot_say_that_a_step_has_failed():
    with pytest.raises(StepsNotServable, match="no scores"):
        made(one_step(derive={"made": "int(1 / x)"}), "int")
