"""Learning a row in one pass through a River pipeline, where River itself makes two.

`Pipeline.learn_one` lets the parts of a union learn, each through its own steps, and then
transforms by them once more; what a step gives right after it has learned the row is the same both
times. So here each step learns and transforms before the next one sees the row: the same state, by
the same calls, without those that are made twice.
"""

from collections.abc import Callable, Iterator
from typing import Any

from river.base import Transformer
from river.compose import Pipeline, TransformerUnion

Features = dict[str, Any]
Step = Callable[[Features], Features]


def learner(model: Any) -> Callable[[Features, Any], None]:  # noqa: ANN401 - any of River's kinds
    """What learns a row and its label as `model.learn_one` does, in one pass where that is safe."""
    if not is_plain(model):
        learn: Callable[[Features, Any], None] = model.learn_one
        return learn
    *steps, final = model.steps.values()
    prepare, finish = _through([_pass(step) for step in steps]), final.learn_one
    if is_supervised(final):
        return lambda row, label: finish(prepare(row), label)
    return lambda row, _label: finish(prepare(row))


def is_plain(model: Any) -> bool:  # noqa: ANN401 - any of River's kinds
    """Whether all before the last step of a pipeline are transformers that learn without labels."""
    if type(model) is not Pipeline or not model.steps:
        return False
    *before, final = model.steps.values()
    leaves = [leaf for step in before for leaf in _leaves(step)]
    return not isinstance(final, Transformer) and all(
        isinstance(leaf, Transformer) and not is_supervised(leaf) for leaf in leaves
    )


def is_supervised(step: Any) -> bool:  # noqa: ANN401 - any of River's kinds
    """Whether a step learns with labels, by the property that River's own pipeline asks."""
    return bool(step._supervised)  # noqa: SLF001 - the only one that knows of a step's parts


def _leaves(step: Any) -> Iterator[Any]:  # noqa: ANN401 - any of River's kinds
    """The steps that do something themselves."""
    parts = _parts(step)
    if parts is None:
        yield step
    for part in parts or ():
        yield from _leaves(part)


def _parts(step: Any) -> list[Any] | None:  # noqa: ANN401 - any of River's kinds
    """The steps that one is made of; None of a step by itself."""
    if type(step) is Pipeline:
        return list(step.steps.values())
    if type(step) is TransformerUnion:
        return list(step.transformers.values())
    return None


def _pass(step: Any) -> Step:  # noqa: ANN401 - any of River's kinds
    """Learn a row and transform it."""
    parts = _parts(step)
    if parts is None:
        return _both(step)
    if type(step) is Pipeline:
        return _through([_pass(part) for part in parts])
    # Of features of the same name River takes the first part's.
    return _beside([_pass(part) for part in reversed(parts)])


def _both(step: Any) -> Step:  # noqa: ANN401 - any of River's kinds
    learn, transform = step.learn_one, step.transform_one
    if type(step).learn_one is Transformer.learn_one:
        return transform  # type: ignore[no-any-return]  # River has no types.

    def both(row: Features) -> Features:
        learn(row)
        return transform(row)  # type: ignore[no-any-return]  # River has no types.

    return both


def _through(steps: list[Step]) -> Step:
    """One after the other."""

    def through(row: Features) -> Features:
        for step in steps:
            row = step(row)
        return row

    return steps[0] if len(steps) == 1 else through


def _beside(steps: list[Step]) -> Step:
    """All of the same row, the last one's features foremost."""

    def beside(row: Features) -> Features:
        found: Features = {}
        for step in steps:
            found.update(step(row))
        return found

    return beside
