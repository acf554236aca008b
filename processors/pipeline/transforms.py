"""Transforms, ensembles and alternatives, compiled to functions of a batch's values."""

from collections.abc import Callable, Sequence

import numpy as np

from modstream.models.pipelines.references import Reference
from modstream.models.pipelines.step_definitions import (
    AnyStep,
    Bin,
    EnsembleStep,
    Lookup,
    TransformStep,
)
from modstream.models.pipelines.steps import ParsedStep
from modstream.models.schema.columns import Scalar
from modstream.processors.errors import StepUnusable
from modstream.processors.pipeline.evaluation import Evaluate, Values, coalesce, compile_expression
from modstream.processors.pipeline.values import (
    Column,
    Value,
    column_of,
    either,
    is_nowhere,
)

Compute = Callable[[Values, int], dict[str, Value]]
"""Computes the outputs of a step, given the values and the number of rows n."""


def compile_transform(step: ParsedStep, definition: TransformStep) -> Compute:
    """Return a function that computes the outputs of a transform."""
    parts: dict[str, Evaluate] = {}
    for name, value in definition.transform.items():
        evaluate = compile_expression(step.expressions[name])
        if isinstance(value, Lookup):
            parts[name] = _looked_up(value, evaluate)
        else:
            parts[name] = _binned(value, evaluate) if isinstance(value, Bin) else evaluate

    def compute(values: Values, size: int) -> dict[str, Value]:
        return {name: part(values).expand(size) for name, part in parts.items()}

    return compute


def key_of(value: object) -> str:
    """Return the key of a text, an integer or a bool in a table of TOML."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _looked_up(definition: Lookup, evaluate: Evaluate) -> Evaluate:
    """Return a lookup; a key that the table does not have fails, unless there is a default."""
    keys = list(definition.table)
    entries: list[Scalar] = [*definition.table.values()]
    default = definition.default
    data = column_of([*entries, entries[0] if default is None else default])
    positions = {key: position for position, key in enumerate(keys)}

    def apply(values: Values) -> Value:
        found = evaluate(values)
        if found.data.dtype.kind == "f" and not is_nowhere(found):
            raise StepUnusable("a lookup takes string, int or bool")
        unknown = len(keys)
        values_ = np.ravel(found.data).tolist()
        texts = values_ if found.data.dtype.kind == "O" else map(key_of, values_)
        at = np.array([positions.get(one, unknown) for one in texts], np.intp)
        at = at.reshape(found.data.shape)
        failed = found.failed
        if default is None and (at == unknown).any():
            wrong = at == unknown
            failed = either(failed, wrong if found.missing is None else wrong & ~found.missing)
        return Value(np.asarray(data[at]), found.missing, failed)

    return apply


def _binned(definition: Bin, evaluate: Evaluate) -> Evaluate:
    edges = np.array(definition.edges, np.float64)
    count = len(edges) + 1
    labels = column_of(definition.labels if definition.labels is not None else [*range(count)])

    def apply(values: Values) -> Value:
        found = evaluate(values)
        if found.data.dtype.kind not in "if" and not is_nowhere(found):
            raise StepUnusable("a bin takes numbers")
        numbers = found.data.astype(np.float64) if found.data.dtype.kind in "if" else edges[:1]
        at = np.searchsorted(edges, numbers, side="right")
        return Value(np.asarray(labels[at]), found.missing, found.failed)

    return apply


def compile_ensemble(step: ParsedStep, definition: EnsembleStep) -> Compute:
    """Return a function that computes a vote or an average of the members that have a value."""
    weights = np.array(definition.weights or [1.0] * len(step.values))
    least = len(step.values) if step.needs_all else definition.min_members

    def compute(values: Values, size: int) -> dict[str, Value]:
        members = [values.value(one).expand(size) for one in step.values]
        counts = np.array(
            [np.ones(size) if one.missing is None else ~one.missing for one in members], np.bool_
        )
        missing = counts.sum(axis=0) < least
        masked = missing if missing.any() else None
        share = weights[:, None] * counts
        if definition.ensemble == "average":
            return {"value": Value(_average(members, share), masked)}
        label, winning = _vote(members, share)
        return {"label": Value(label, masked), "share": Value(winning, masked)}

    return compute


def _average(members: Sequence[Value], share: Column) -> Column:
    total = np.zeros(share.shape[1])
    for member, weight in zip(members, share, strict=True):
        if member.data.dtype.kind not in "if":
            if weight.any():
                raise StepUnusable("an average needs numbers")
            continue
        total += np.where(weight > 0, member.data, 0.0) * weight
    return np.asarray(total / share.sum(axis=0))


def _vote(members: Sequence[Value], share: Column) -> tuple[Column, Column]:
    """Return the value with the most votes and its share; of several, that of the first member."""
    voters = [
        (one.data, weight) for one, weight in zip(members, share, strict=True) if weight.any()
    ]
    if not voters:
        return np.zeros(share.shape[1]), np.zeros(share.shape[1])
    kinds = {data.dtype.kind for data, _ in voters}
    if len(kinds) > 1 and not kinds <= {"i", "f"}:
        raise StepUnusable("values of several kinds cannot be voted on")
    label, most = voters[0][0], np.full(share.shape[1], -1.0)
    for data, own in voters:
        votes = sum(weight * (other == data) for other, weight in voters)
        is_winner = (own > 0) & (votes > most)
        label, most = np.where(is_winner, data, label), np.where(is_winner, votes, most)
    return np.asarray(label), np.asarray(most / share.sum(axis=0))


def compile_any(step: ParsedStep, _definition: AnyStep) -> Compute:
    """Return a function that takes the first value that there is, and the name of its origin."""
    names = np.array([str(one) for one in step.values], dtype=object)
    alternatives: Sequence[Reference] = step.values

    def compute(values: Values, size: int) -> dict[str, Value]:
        found = [values.value(one).expand(size) for one in alternatives]
        value = coalesce(found)
        absent = np.array(
            [np.zeros(size, np.bool_) if one.missing is None else one.missing for one in found]
        )
        source = names[np.argmin(absent, axis=0)]
        return {"value": value, "source": Value(source, value.missing)}

    return compute
