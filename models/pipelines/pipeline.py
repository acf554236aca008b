"""A pipeline that has been parsed: its steps in an order in which each finds what it takes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modstream.models.errors import InvalidPipeline
from modstream.models.pipelines.definition import PipelineDefinition, parse_definition
from modstream.models.pipelines.problems import PipelineProblem
from modstream.models.pipelines.references import REQUEST, Reference
from modstream.models.pipelines.steps import ParsedStep, StepParser
from modstream.models.schema.columns import Scalar


@dataclass(frozen=True, slots=True)
class ParsedOutput:
    """An entry of the answer: where its value comes from, and what stands for a missing one."""

    name: str
    reference: Reference
    default: Scalar | None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A valid definition; `steps` are in an order in which they can run.

    What only the cards of its models tell is not checked: see `modstream.models.pipelines.checks`.
    """

    definition: PipelineDefinition
    steps: tuple[ParsedStep, ...]
    outputs: tuple[ParsedOutput, ...]

    def fields_of(self, step: str) -> list[str]:
        """Return the outputs of a step that anything reads."""
        read = [reference for one in self.steps for reference in one.read]
        read += [output.reference for output in self.outputs]
        return list(dict.fromkeys(one.field for one in read if one.source == step))


def parse_pipeline(content: bytes, source: str) -> Pipeline:
    """Return the pipeline that a TOML document defines; `source` names it in errors.

    Raises:
        InvalidPipeline: it is no definition, or its parts do not fit together.
    """
    definition = parse_definition(content, source)
    parser = StepParser()
    steps = parser.parse(definition)
    texts = {name: one.source for name, one in definition.outputs.items()}
    found = parser.references(None, {f"output {name}": text for name, text in texts.items()})
    problems = parser.problems
    outputs = tuple(
        ParsedOutput(name, found[f"output {name}"], one.default)
        for name, one in definition.outputs.items()
        if f"output {name}" in found
    )
    if not problems:
        problems += _find_problems(definition, steps, outputs)
    if problems:
        raise InvalidPipeline(source, problems)
    return Pipeline(definition, tuple(_in_order(steps)), outputs)


def _find_problems(
    definition: PipelineDefinition, steps: Sequence[ParsedStep], outputs: Sequence[ParsedOutput]
) -> Iterator[PipelineProblem]:
    by_name = {step.name: step for step in steps}
    for step in steps:
        for reference in step.read:
            if text := _unknown(definition, by_name, reference):
                yield PipelineProblem(step.name, text)
        yield from _own_problems(step, by_name)
    for output in outputs:
        if text := _unknown(definition, by_name, output.reference):
            yield PipelineProblem(None, f"output {output.name}: {text}")
        elif output.reference.source != REQUEST and _is_shadow(by_name, output.reference):
            text = "comes from a shadow step, whose result counts for nothing: name another step"
            yield PipelineProblem(None, f"output {output.name}: {text}")
    if cycle := _find_cycle(by_name):
        text = f"the steps {' -> '.join(cycle)} need each other: remove one of these references"
        yield PipelineProblem(None, text)
        return
    yield from _unreachable(by_name, outputs)


def _unknown(
    definition: PipelineDefinition, steps: dict[str, ParsedStep], reference: Reference
) -> str | None:
    """Return what is wrong with a reference, as far as it is known without cards."""
    source, name = reference
    if source == REQUEST:
        if name in definition.request:
            return None
        return f"`{reference}` is no feature of [request]; it has {', '.join(definition.request)}"
    if source not in steps:
        return f"`{reference}`: there is no step {source}; the steps are {', '.join(steps)}"
    outputs = steps[source].own_outputs
    if outputs is None or name in outputs:
        return None
    return f"step {source} has no output {name}; it has {', '.join(outputs)}"


def _is_shadow(steps: dict[str, ParsedStep], reference: Reference) -> bool:
    return steps[reference.source].definition.shadow


def _own_problems(step: ParsedStep, steps: dict[str, ParsedStep]) -> Iterator[PipelineProblem]:
    definition = step.definition
    if definition.on_error == "default" and not definition.default:
        yield PipelineProblem(
            step.name, 'on_error = "default" needs defaults: default = { <output> = <value> }'
        )
    if definition.on_error != "default" and definition.default:
        yield PipelineProblem(step.name, 'a default is used only with on_error = "default"')
    names = step.own_outputs
    for name in definition.default or ():
        if names is not None and name not in names:
            yield PipelineProblem(
                step.name, f"default: there is no output {name}; there are {', '.join(names)}"
            )
    if definition.shadow:
        return
    for reference in step.read:
        if reference.source in steps and _is_shadow(steps, reference):
            text = f"`{reference}` comes from a shadow step, whose result counts for nothing"
            yield PipelineProblem(step.name, text)


def _find_cycle(steps: dict[str, ParsedStep]) -> list[str]:
    """Return steps that need each other, the first of them also at the end; or nothing."""
    done: set[str] = set()
    for start in steps:
        path: list[str] = []
        pending = [(start, False)]
        while pending:
            name, is_left = pending.pop()
            if is_left:
                done.add(path.pop())
            elif name in path:
                return [*path[path.index(name) :], name]
            elif name not in done:
                path.append(name)
                pending.append((name, True))
                pending += [(one, False) for one in _sources_read(steps[name]) if one in steps]
    return []


def _sources_read(step: ParsedStep) -> list[str]:
    return [one.source for one in step.read if one.source != REQUEST]


def _unreachable(
    steps: dict[str, ParsedStep], outputs: Sequence[ParsedOutput]
) -> Iterator[PipelineProblem]:
    """Yield the steps that nothing needs, and that are no shadows."""
    pending = [output.reference.source for output in outputs]
    pending += [name for name, step in steps.items() if step.definition.shadow]
    reached: set[str] = set()
    while pending:
        name = pending.pop()
        if name in steps and name not in reached:
            reached.add(name)
            pending += _sources_read(steps[name])
    for name in steps:
        if name not in reached:
            text = "the output needs nothing of this step: use it, remove it, or let it be a shadow"
            yield PipelineProblem(name, text)


def _in_order(steps: Sequence[ParsedStep]) -> Iterator[ParsedStep]:
    """Yield the steps, each after those whose outputs it reads, else as they are defined."""
    waiting, ready = list(steps), {REQUEST}
    while waiting:
        step = next(one for one in waiting if ready.issuperset(_sources_read(one)))
        waiting.remove(step)
        ready.add(step.name)
        yield step
