"""A simple interpreter of pipelines, row by row in plain Python, to compare the executor with.

Its expressions are Python functions beside the texts of the same meaning; a function gets None for
a missing value and raises ArithmeticError where there is no result.
"""

import math

from tests.processors.pipeline_models import FAILS_AT, MISSING, NOT_FINITE_AT


class RowError(Exception):
    """A step fails on the row."""


class NoOutputError(Exception):
    """A step has no output for the row."""


def strict(function):
    """Return a function that has no value where an argument has none."""
    return lambda *values: None if None in values else function(*values)


def root(x):
    if x < 0:
        raise ArithmeticError
    return math.sqrt(x)


EXPRESSIONS = {
    "{0} + 1": strict(lambda a, _: a + 1.0),
    "1 / {0}": strict(lambda a, _: 1 / a),
    "{0} * {1}": strict(lambda a, b: a * b),
    "{0} % {1}": strict(lambda a, b: a % b),
    "sqrt({0})": strict(lambda a, _: root(a)),
    "clip({0}, -1, 1)": strict(lambda a, _: float(min(max(a, -1), 1))),
    "int({0})": strict(lambda a, _: int(a)),
    "coalesce({0}, {1}, 5)": lambda a, b: next(one for one in (a, b, 5.0) if one is not None),
    "1 if is_missing({0}) else 2": lambda a, _: 1 if a is None else 2,
    "{0} if {1} > 0 else 9": lambda a, b: None if b is None else a if b > 0 else 9.0,
    "3 if {0} != 0 and 1 / {0} > 0.3 else 4": lambda a, _: (
        None if a is None else (3 if a != 0 and 1 / a > 0.3 else 4)
    ),
    "float(str(int({0})))": strict(lambda a, _: float(int(a))),
}
"""Texts of expressions of two values, and what they mean."""


def run_row(document, order, features):
    """Return the outputs by name, or the name of the step (or output) that the row fails at.

    The second result is the outcome of each step by name.
    """
    values = {f"request.{name}": value for name, value in features.items()}
    has_output, outcomes, failed_at = {}, {}, None
    for name in order:
        step = document["steps"][name]
        found, outcome = {}, "skipped"
        if failed_at is None:
            found, outcome = run_step(step, values, has_output)
        if outcome == "failed" and step["on_error"] == "default" and failed_at is None:
            outcome, found = "default", dict(step["default"])
        elif outcome == "failed" and step["on_error"] == "fail" and not step["shadow"]:
            failed_at = name
        has_output[name] = outcome in {"ok", "default"}
        outcomes[name] = outcome
        values.update({f"{name}.{output}": value for output, value in found.items()})
    if failed_at is not None:
        return failed_at, outcomes
    outputs = {}
    for name, output in document["output"].items():
        value = values.get(output["from"])
        value = output.get("default") if value is None else value
        if value is None:
            return f"output {name}", outcomes
        outputs[name] = value
    return outputs, outcomes


def run_step(step, values, has_output):
    """Return a step's outputs for a row and its outcome, before `on_error` counts."""
    sources = [one.partition(".")[0] for one in step["refs"]]
    needed = [one for one in sources if one != "request"]
    if step["join"] == "inner" and not all(has_output[one] for one in needed):
        return {}, "skipped"
    if step["when"] is not None:
        compared = values.get(step["when"])
        if compared is None or not compared > 0:
            return {}, "skipped"
    arguments = [values.get(one) for one in step["refs"]]
    try:
        return KINDS[step["kind"]](step, arguments), "ok"
    except (RowError, ArithmeticError, ValueError):
        return {}, "failed"
    except NoOutputError:
        return {}, "skipped"


def run_model(step, arguments):
    x = arguments[0]
    if step["model"] == "lenient":
        return {"value": MISSING if x is None else x}
    if None in arguments:
        raise RowError
    if step["model"] == "total":
        return {"value": x + arguments[1]}
    if x in {FAILS_AT, NOT_FINITE_AT}:
        raise RowError
    return {"value": x + 1}


def run_transform(step, arguments):
    return {"value": EXPRESSIONS[step["expression"]](*arguments)}


def run_average(step, arguments):
    pairs = members(step, arguments)
    return {"value": sum(v * w for v, w in pairs) / sum(w for _, w in pairs)}


def run_vote(step, arguments):
    pairs, votes = members(step, arguments), {}
    for value, weight in pairs:
        votes[value] = votes.get(value, 0) + weight
    winner = max(votes, key=votes.get)
    return {"value": winner, "share": votes[winner] / sum(votes.values())}


def members(step, arguments):
    """Return the members that have a value, with their weights."""
    pairs = [pair for pair in zip(arguments, step["weights"], strict=True) if pair[0] is not None]
    least = len(arguments) if step["join"] == "inner" else step["min_members"]
    if len(pairs) < least:
        raise NoOutputError
    return pairs


def run_any(_step, arguments):
    for value in arguments:
        if value is not None:
            return {"value": value}
    raise NoOutputError


KINDS = {
    "model": run_model,
    "transform": run_transform,
    "average": run_average,
    "vote": run_vote,
    "any": run_any,
}
