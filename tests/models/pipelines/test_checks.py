"""What is wrong with a definition is said before it serves: where, what, and what to do."""

import re

import pytest

from modstream.models.errors import InvalidPipeline
from modstream.models.pipelines.checks import check_pipeline
from modstream.models.pipelines.definition import parse_definition
from modstream.models.pipelines.pipeline import parse_pipeline
from modstream.models.registry.errors import ModelNotFound
from modstream.models.schema.input_schema import Feature
from tests.processors.pipeline_models import make_card

FILE = "pipelines/p.toml"
GOOD = """
name = "p"
[request]
a = "float"
n = "int"
s = "string"
m = { kind = "float", missing = true }
[steps.first]
model = "risk"
inputs = { x = "request.a", y = "filled.m" }
[steps.filled]
transform = { m = "coalesce(request.m, 0)", zone = { lookup = "request.s", table = { DE = "EU" } } }
[steps.second]
model = "value"
when = "first.probability > 0.5"
on_error = "skip"
inputs = { n = "request.n" }
[steps.both]
ensemble = "average"
members = ["first.probability", "second.value"]
[output]
score = "both.value"
zone = "filled.zone"
second = { from = "second.value", default = 0 }
"""
CARDS = {
    "risk": make_card("risk", ["x", "y"], "binary"),
    "value": make_card("value", [Feature(name="n", kind="int")]),
    "species": make_card("species", ["x"], "multiclass", classes=("a", "b")),
    "lenient": make_card("lenient", [Feature(name="x", kind="float", missing=True)]),
    "words": make_card("words", [Feature(name="s", kind="string")]),
    "other": make_card("other", ["a"], "pipeline", runtime="pipeline"),
    "later": make_card("later", ["a"], "forecast"),
}


def find_card(name, ref):
    if name not in CARDS or ref != "champion":
        raise ModelNotFound(name, ref)
    return CARDS[name]


def problems(text):
    try:
        check_pipeline(parse_pipeline(text.encode(), FILE), find_card, FILE)
    except InvalidPipeline as error:
        assert all(line.startswith(f"{FILE}: ") for line in str(error).splitlines())
        return [str(problem) for problem in error.problems]
    return []


def test_a_good_definition_has_no_problems_and_its_steps_an_order():
    pipeline = parse_pipeline(GOOD.encode(), FILE)

    checked = check_pipeline(pipeline, find_card, FILE)
    assert checked.remarks == ()
    assert checked.outputs == {"score": "float", "zone": "string", "second": "float"}
    assert [step.name for step in pipeline.steps] == ["filled", "first", "second", "both"]
    assert pipeline.definition.models == (("risk", "champion"), ("value", "champion"))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # names
        ('model = "risk"', 'model = "rizk"', "step first: model .rizk. has no version"),
        ('model = "risk"', 'model = "risk"\nversion = 7', "step first: .*publish it first"),
        ('x = "request.a"', 'x = "request.b"', "step first: `request.b` is no feature of .*a, n"),
        ('x = "request.a"', 'x = "zero.a"', "step first: .*there is no step zero; the steps are"),
        ('y = "filled.m"', 'y = "filled.z"', "step first: step filled has no output z; it has m"),
        ('y = "filled.m"', 'z = "filled.m"', "step first: model risk needs the feature y"),
        ('y = "filled.m"', 'y = "filled.m", z = "request.a"', "model risk has no feature z"),
        ("first.probability >", "first.value >", "step first: model risk has no output value; it"),
        ('score = "both.value"', 'score = "both.label"', "output score: step both has no output"),
        ('score = "both.value"', 'score = "both"', "is no reference: write"),
        ("[steps.both]", "[steps.request]", "no step can have the name request"),
        ("[steps.both]", "[steps.if]", "no step can have the name if"),
        ("[steps.both]", '[steps."a b"]', "match pattern"),
        ("on_error = ", "on_eror = ", "step second: on_eror: there is no such setting"),
        ('on_error = "skip"', 'on_error = "ignore"', "step second: on_error: "),
        ('model = "value"', 'model = "value"\nany = ["first.probability"]', "exactly one of model"),
        ('model = "value"', "", "exactly one of model, transform"),
        ('name = "p"', 'name = "p"\nnames = 1', "names: there is no such setting"),
        ('name = "p"', 'name = "a/b"', "name: "),
        ('name = "p"', "name = p", "this is no TOML document"),
        ('name = "p"', 'name = "p"\ntask = "binary"', "needs the output probability or label"),
        # cycles, what is not needed, shadows
        ('"coalesce(request.m, 0)"', '"first.probability"', "filled -> first|first -> fi"),
        (
            'members = ["first.probability", "second.value"]',
            'members = ["first.probability", "request.a"]\n[steps.z]\ntransform = { y = "1" }',
            "step z: the output needs nothing of this step",
        ),
        ('model = "value"', 'model = "value"\nshadow = true', "step both: .*from a shadow step"),
        ('when = "first.probability > 0.5"', 'when = "False"', "it is always false"),
        # kinds
        ('x = "request.a"', 'x = "request.s"', "x of risk is float, and `request.s` is str"),
        ('n = "request.n"', 'n = "request.a"', r"as in `int\(request.a\)`"),
        ('n = "request.n"', 'n = "filled.zone"', "is int, and `filled.zone` is string"),
        ("> 0.5", "> 'x'", "takes float or int, not string"),
        ('"first.probability > 0.5"', '"first.probability"', "it must be true or false, and is"),
        ('"second.value"]', '"request.s"]', "an average needs numbers, and `request.s` is string"),
        ("coalesce(request.m, 0)", "coalesce(request.m, 'x')", "step filled: m: .*at once"),
        ("coalesce(request.m, 0)", "eval('1')", "step filled: m: there is no function `eval`"),
        ('lookup = "request.s"', 'lookup = "request.a"', "zone: a lookup takes string, int or"),
        # missing values
        ('y = "filled.m"', 'y = "request.m"', "y of risk may not be missing, .*coalesce"),
        (", default = 0 }", " }", "output second: `second.value` may have no value: give"),
        (
            'members = ["first.probability", "second.value"]',
            'members = ["first.probability", "second.value"]\nmin_members = 2',
            "output score: `both.value` may have no value",
        ),
        ('"second.value"]', '"second.value"]\njoin = "inner"', "output score: `both.value` may"),
        ("default = 0 }", 'default = "?" }', "output second: `second.value` is float, and its"),
        # defaults
        ('on_error = "skip"', 'on_error = "default"', 'step second: on_error = "default" needs'),
        ('on_error = "skip"', "default = { value = 1 }", "a default is used only with on_error"),
        (
            'on_error = "skip"',
            'on_error = "default"\ndefault = { label = 1 }',
            "`second.value` is used and has no default",
        ),
        (
            'on_error = "skip"',
            'on_error = "default"\ndefault = { value = "x" }',
            "value is float, and its default string",
        ),
        # ensembles, alternatives, bins
        ('"second.value"]', '"first.probability"]', "a member is named twice"),
        ('"second.value"]', '"second.value"]\nweights = [1]', "2 members have 1 weights"),
        ('"second.value"]', '"second.value"]\nmin_members = 3', "larger than the number of"),
        (
            'ensemble = "average"\nmembers = ["first.probability", "second.value"]',
            'any = ["first.probability", "second.value"]',
            "`first.probability` is never missing, so what follows it is never used",
        ),
        (
            'lookup = "request.s", table = { DE = "EU" }',
            'bin = "request.a", edges = [2, 1]',
            "the edges must ascend",
        ),
        (
            'lookup = "request.s", table = { DE = "EU" }',
            'bin = "request.a", edges = [1], labels = ["x"]',
            "1 edges make 2 labels",
        ),
        # models that cannot be steps
        ('model = "value"\n', 'model = "other"\n', "other is a pipeline, which no step can be"),
        ('model = "value"\n', 'model = "later"\n', "a model of the task forecast, which no step"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_file_its_step_and_a_remedy(old, new, expected):
    assert GOOD.count(old) == 1, old
    found = problems(GOOD.replace(old, new))

    assert any(re.search(expected, one) for one in found), found


def test_all_problems_are_named_at_once_but_not_what_follows_from_them():
    text = GOOD.replace('x = "request.a"', 'x = "request.s"').replace(", default = 0 }", " }")

    assert [one.split(":")[0] for one in problems(text)] == ["step first"]
    assert len(problems(text.replace('y = "filled.m"', 'y = "request.m"'))) == 2


def test_what_is_never_used_is_a_remark():
    text = GOOD.replace('s = "string"', 's = "string"\nunused = "float"').replace(
        'transform = { m = "coalesce(request.m, 0)"',
        'transform = { m = "coalesce(request.m, 0)", x = "1"',
    )

    assert check_pipeline(parse_pipeline(text.encode(), FILE), find_card, FILE).remarks == (
        "the feature unused of [request] is not used",
        "step filled: the output x is not used",
    )


def test_a_model_without_inputs_takes_the_features_of_its_names():
    text = (
        'name = "p"\n[request]\nx = "float"\n[steps.a]\nmodel = "species"\n[output]\ny = "a.{}"\n'
    )

    assert problems(text.format("label")) == []
    assert problems(text.format("probabilities")) == []
    assert problems(text.format("probabilities.a")) == []
    assert problems(text.format("probabilities.z")) != []
    assert "add it to [request]" in problems(text.format("label").replace("x =", "z ="))[0]


@pytest.mark.parametrize("content", [b"\xff", b"a = 1" * 300_000, b"a = [" * 5000])
def test_bytes_that_are_no_definition_are_refused(content):
    with pytest.raises(InvalidPipeline, match=FILE):
        parse_definition(content, FILE)
