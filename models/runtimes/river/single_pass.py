"""Learning a row in one pass through a River pipeline instead of River's two.

`Pipeline.learn_one` first makes the parts of a union learn, each through its own steps, and then
transforms the row through all of them again. A step's output right after learning a row is the
same both times. Here each step learns and transforms once before the next step gets the row, which
results in the same state.
"""

from collections.abc import Callable, Iterator
from typing import Any

from river.base import Transformer
from river.compose import Pipeline, TransformerUnion

RiverRow = Any
"""A row as River takes it: features by name, or a text."""
RowTransform = Callable[[RiverRow], RiverRow]


def make_learn_one(model: Any) -> Callable[[RiverRow, Any], None]:  # noqa: ANN401 - any River class
    """Return a function equivalent to `model.learn_one`, in one pass where that is safe."""
    if not can_learn_in_one_pass(model):
        learn: Callable[[RiverRow, Any], None] = model.learn_one
        return learn
    *steps, final = model.steps.values()
    prepare, finish = _sequential([_learn_and_transform(step) for step in steps]), final.learn_one
    if is_supervised(final):
        return lambda row, label: finish(prepare(row), label)
    return lambda row, _label: finish(prepare(row))


def can_learn_in_one_pass(model: Any) -> bool:  # noqa: ANN401 - any River class
    """Return whether a model is a pipeline of unsupervised transformers before its last step."""
    if type(model) is not Pipeline or not model.steps:
        return False
    *before, final = model.steps.values()
    leaves = [leaf for step in before for leaf in _leaf_steps(step)]
    return not isinstance(final, Transformer) and all(
        isinstance(leaf, Transformer) and not is_supervised(leaf) for leaf in leaves
    )


def is_supervised(step: Any) -> bool:  # noqa: ANN401 - any River class
    """Return whether a step learns with labels, by the property that River's pipeline uses."""
    return bool(step._supervised)  # noqa: SLF001 - no public property covers nested steps


def _leaf_steps(step: Any) -> Iterator[Any]:  # noqa: ANN401 - any River class
    """Yield the steps that have no steps inside."""
    parts = _substeps(step)
    if parts is None:
        yield step
    for part in parts or ():
        yield from _leaf_steps(part)


def _substeps(step: Any) -> list[Any] | None:  # noqa: ANN401 - any River class
    """Return the steps inside a pipeline or union, or None for any other step."""
    if type(step) is Pipeline:
        return list(step.steps.values())
    if type(step) is TransformerUnion:
        return list(step.transformers.values())
    return None


def _learn_and_transform(step: Any) -> RowTransform:  # noqa: ANN401 - any River class
    """Return a function that makes a step learn a row and returns the transformed row."""
    parts = _substeps(step)
    if parts is None:
        return _leaf_pass(step)
    if type(step) is Pipeline:
        return _sequential([_learn_and_transform(part) for part in parts])
    # If several parts produce a feature of the same name, River keeps the first part's.
    return _parallel([_learn_and_transform(part) for part in reversed(parts)])


def _leaf_pass(step: Any) -> RowTransform:  # noqa: ANN401 - any River class
    learn, transform = step.learn_one, step.transform_one
    if type(step).learn_one is Transformer.learn_one:
        return transform  # type: ignore[no-any-return]  # River has no types.

    def learn_and_transform(row: RiverRow) -> RiverRow:
        learn(row)
        return transform(row)

    return learn_and_transform


def _sequential(steps: list[RowTransform]) -> RowTransform:
    """Apply transforms one after the other."""

    def run(row: RiverRow) -> RiverRow:
        for step in steps:
            row = step(row)
        return row

    return steps[0] if len(steps) == 1 else run


def _parallel(steps: list[RowTransform]) -> RowTransform:
    """Apply all transforms to the same row and merge their features; later ones win."""

    def run(row: RiverRow) -> RiverRow:
        merged: dict[Any, Any] = {}
        for step in steps:
            merged.update(step(row))
        return merged

    return run
