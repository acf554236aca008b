"""Generated pipelines and rows, and their comparison with the reference interpreter."""

import json
import math

from hypothesis import strategies as st

from modstream.models.pipelines.pipeline import parse_pipeline
from modstream.models.schema.input_schema import InputSchema
from modstream.processors.pipeline.executor import PipelineExecutor
from modstream.processors.pipeline.records import StepRecords
from tests.processors.pipeline.reference import EXPRESSIONS, run_row
from tests.processors.pipeline_models import (
    FAILS_AT,
    NOT_FINITE_AT,
    make_models,
    resolver_of,
)

FEATURES = ("a", "b", "c")
VALUES = [0.0, 1.0, 2.0, -3.0, 0.5, NOT_FINITE_AT, FAILS_AT, FAILS_AT - 1]
numbers = st.sampled_from(VALUES)
rows = st.fixed_dictionaries(
    {"a": numbers, "b": st.none() | numbers, "c": st.none() | st.sampled_from([1.0, -1.0])}
)


@st.composite
def steps(draw, refs):
    """Draw a step that takes values from some of the references."""
    kind = draw(st.sampled_from(["model", "transform", "average", "vote", "any"]))
    is_group = kind in {"average", "vote", "any"}
    chosen = st.lists(
        st.sampled_from(refs), min_size=2, max_size=3 if is_group else 2, unique=is_group
    )
    step = {
        "kind": kind, "refs": draw(chosen),
        "when": draw(st.none() | st.sampled_from(refs)),
        "on_error": draw(st.sampled_from(["fail", "default", "skip"])),
        "shadow": draw(st.integers(0, 7)) == 0,
        "join": "outer" if kind == "any" else draw(st.sampled_from(["inner", "outer"])),
    }  # fmt: skip
    step["default"] = {"value": draw(st.sampled_from([0.0, -9.0]))}
    if kind == "model":
        step["model"] = draw(st.sampled_from(["fragile", "lenient", "total"]))
        step["refs"] = step["refs"] if step["model"] == "total" else step["refs"][:1]
    if kind == "transform":
        step["expression"] = draw(st.sampled_from(list(EXPRESSIONS)))
        is_single = "{1}" not in step["expression"]
        step["refs"] = [step["refs"][0]] * 2 if is_single else step["refs"]
    if kind in {"average", "vote"}:
        weight = st.sampled_from([0.5, 1.0, 2.0])
        step["weights"] = [draw(weight) for _ in step["refs"]]
        step["min_members"] = draw(st.integers(1, 2))
    return step


@st.composite
def documents(draw):
    """Draw a definition, as a document that the reference reads as well."""
    refs = [f"request.{name}" for name in FEATURES]
    found, shadows = {}, []
    for number in range(draw(st.integers(1, 6))):
        name = f"s{number}"
        step = found[name] = draw(steps(refs))
        if step["shadow"]:
            shadows.append(name)
        else:
            refs.append(f"{name}.value")
    output = {}
    for ref in refs:
        default = draw(st.sampled_from([None, -1.0, -1.0]))
        entry = {"from": ref} if default is None else {"from": ref, "default": default}
        output[ref.replace(".", "_")] = entry
    return {"steps": found, "output": output}


def to_toml(document):
    """Return the definition as TOML."""
    lines = ['name = "generated"', "[request]", 'a = "float"']
    lines += [f'{name} = {{ kind = "float", missing = true }}' for name in ("b", "c")]
    for name, step in document["steps"].items():
        lines += [f"[steps.{name}]", *_step_lines(step)]
    lines.append("[output]")
    for name, entry in document["output"].items():
        fields = ", ".join(f"{key} = {json.dumps(value)}" for key, value in entry.items())
        lines.append(f"{name} = {{ {fields} }}")
    return "\n".join(lines)


def _step_lines(step):
    refs = json.dumps(step["refs"])
    match step["kind"]:
        case "model":
            pairs = zip("xy", step["refs"], strict=False)
            inputs = ", ".join(f'{name} = "{ref}"' for name, ref in pairs)
            yield from [f'model = "{step["model"]}"', f"inputs = {{ {inputs} }}"]
        case "transform":
            yield f'transform = {{ value = "{step["expression"].format(*step["refs"])}" }}'
        case "any":
            yield f"any = {refs}"
        case kind:
            yield from [f'ensemble = "{kind}"', f"members = {refs}"]
            yield f"weights = {step['weights']}"
            yield f"min_members = {step['min_members']}"
    yield from [f'on_error = "{step["on_error"]}"', f'join = "{step["join"]}"']
    if step["when"] is not None:
        yield f'when = "{step["when"]} > 0"'
    if step["on_error"] == "default":
        names = ["label", "share"] if step["kind"] == "vote" else ["value"]
        value = step["default"]["value"]
        yield f"default = {{ {', '.join(f'{name} = {value}' for name in names)} }}"
    if step["shadow"]:
        yield "shadow = true"


def check_agreement(document, given):
    """Run a definition on rows by the executor and by the reference; they must agree."""
    text = to_toml(_with_labels(document))
    pipeline = parse_pipeline(text.encode(), "generated")
    batch = pipeline.definition.input_schema.parse_rows(given).batch
    assert batch.size == len(given)
    assert isinstance(pipeline.definition.input_schema, InputSchema)
    result = PipelineExecutor(pipeline).run(batch, resolver_of(make_models()))
    records = StepRecords(result)
    for number, row in enumerate(given):
        outputs, outcomes = run_row(document, [step.name for step in pipeline.steps], row)
        failure = result.failures.get(number)
        made = records.of(number, number + 1, is_row=True)
        assert {one.name: one.outcome for one in made} == outcomes, text
        if isinstance(outputs, str):
            assert failure is not None, (text, row, outputs)
            at = failure.step or str(failure.cause).split(" has ")[0].removeprefix("the ")
            assert at == outputs, text
            continue
        assert failure is None, (text, row, failure)
        for name, value in outputs.items():
            found = result.outputs[number][name]
            assert math.isclose(found, value, rel_tol=1e-9, abs_tol=1e-12), (text, row, name)


def _with_labels(document):
    """Return the document with the outputs of votes under their own name."""
    votes = {f"{name}.value" for name, one in document["steps"].items() if one["kind"] == "vote"}

    def renamed(ref):
        return ref.replace(".value", ".label") if ref in votes else ref

    steps_ = {
        name: {
            **one,
            "refs": [*map(renamed, one["refs"])],
            "when": one["when"] and renamed(one["when"]),
        }
        for name, one in document["steps"].items()
    }
    output = {
        name: {**one, "from": renamed(one["from"])} for name, one in document["output"].items()
    }
    return {"steps": steps_, "output": output}
