"""The steps of a pipeline with their expressions parsed, and what each of them takes from where."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from modstream.models.pipelines.definition import PipelineDefinition
from modstream.models.pipelines.expressions import (
    Expression,
    ExpressionError,
    parse_expression,
    references,
)
from modstream.models.pipelines.problems import PipelineProblem
from modstream.models.pipelines.references import REQUEST, Reference
from modstream.models.pipelines.step_definitions import (
    AnyStep,
    Bin,
    EnsembleStep,
    Lookup,
    ModelStep,
    Step,
    TransformStep,
)

ENSEMBLE_OUTPUTS: Mapping[str, tuple[str, ...]] = {
    "vote": ("label", "share"),
    "average": ("value",),
}
"""The outputs of an ensemble, by its kind."""
ANY_OUTPUTS = ("value", "source")
"""The outputs of an `any` step: the value, and the name of where it came from."""


@dataclass(frozen=True, slots=True)
class ParsedStep:
    """One step: its definition, and its references and expressions, parsed.

    `inputs` are the references of a model's features; None: those of the same names in the request.
    `expressions` are those of a transform by output, `values` the members of an ensemble or the
    alternatives of an `any` step.
    """

    name: str
    definition: Step
    when: Expression | None = None
    inputs: dict[str, Reference] | None = None
    expressions: dict[str, Expression] = field(default_factory=dict)
    values: tuple[Reference, ...] = ()

    @property
    def taken(self) -> list[Reference]:
        """What the step computes with."""
        found = [*(self.inputs or {}).values(), *self.values]
        for expression in self.expressions.values():
            found += references(expression)
        return list(dict.fromkeys(found))

    @property
    def read(self) -> list[Reference]:
        """What the step and its predicate read."""
        return list(dict.fromkeys([*self.taken, *(references(self.when) if self.when else ())]))

    @property
    def sources(self) -> list[str]:
        """The steps whose outputs the step computes with."""
        return list(dict.fromkeys(one.source for one in self.taken if one.source != REQUEST))

    @property
    def needs_all(self) -> bool:
        """Whether the step runs only where all its sources have an output."""
        return self.definition.join == "inner"

    @property
    def own_outputs(self) -> tuple[str, ...] | None:
        """The names of the outputs; None for a model, whose card has them."""
        match self.definition:
            case TransformStep(transform=values):
                return tuple(values)
            case EnsembleStep(ensemble=kind):
                return ENSEMBLE_OUTPUTS[kind]
            case AnyStep():
                return ANY_OUTPUTS
        return None


@dataclass(slots=True)
class StepParser:
    """Parses the steps of a definition, and collects what is wrong with them."""

    problems: list[PipelineProblem] = field(default_factory=list)

    def parse(self, definition: PipelineDefinition) -> list[ParsedStep]:
        """Return the steps in the order of the definition; those with problems lack parts."""
        return [self._step(name, step) for name, step in definition.steps.items()]

    def _step(self, name: str, step: Step) -> ParsedStep:
        names: dict[str, Reference] = {}
        inputs: dict[str, Reference] | None = None
        expressions: dict[str, Expression] = {}
        values: tuple[Reference, ...] = ()
        match step:
            case ModelStep():
                inputs = None if step.inputs is None else self.references(name, step.inputs)
            case TransformStep():
                names = self.references(name, step.inputs)
                expressions = dict(self._expressions(name, step, names))
            case EnsembleStep():
                values = tuple(self.references(name, {one: one for one in step.members}).values())
            case AnyStep():
                values = tuple(self.references(name, {one: one for one in step.any}).values())
        when = None if step.when is None else self._expression(name, "when", step.when, names)
        return ParsedStep(name, step, when, inputs, expressions, values)

    def references(self, step: str | None, texts: Mapping[str, str]) -> dict[str, Reference]:
        """Return the references that texts name, without those that are none."""
        found = {}
        for name, text in texts.items():
            try:
                found[name] = Reference.parse(text)
            except ValueError as error:
                self.problems.append(PipelineProblem(step, str(error)))
        return found

    def _expressions(
        self, name: str, step: TransformStep, names: Mapping[str, Reference]
    ) -> Iterator[tuple[str, Expression]]:
        for output, value in step.transform.items():
            text = value.lookup if isinstance(value, Lookup) else value
            text = text.bin if isinstance(text, Bin) else text
            found = self._expression(name, output, text, names)
            if found is not None:
                yield output, found

    def _expression(
        self, step: str, where: str, text: str, names: Mapping[str, Reference]
    ) -> Expression | None:
        try:
            return parse_expression(text, names)
        except ExpressionError as error:
            self.problems.append(PipelineProblem(step, f"{where}: {error}"))
            return None
