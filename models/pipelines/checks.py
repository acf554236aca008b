"""The check of a pipeline against the cards of its models, before it serves."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from modstream.models.errors import InvalidPipeline
from modstream.models.pipelines.definition import PipelineDefinition
from modstream.models.pipelines.expressions import Constant, ExpressionError, references
from modstream.models.pipelines.kinds import (
    ValueKind,
    ValueType,
    kind_of,
    type_of,
)
from modstream.models.pipelines.known_types import KnownTypes, fits
from modstream.models.pipelines.pipeline import ParsedOutput, Pipeline
from modstream.models.pipelines.problems import PipelineProblem
from modstream.models.pipelines.references import REQUEST, Reference
from modstream.models.pipelines.step_checks import FindCard, StepChecker
from modstream.models.pipelines.step_definitions import (
    EnsembleStep,
    TransformStep,
)
from modstream.models.pipelines.steps import ParsedStep


class CheckedPipeline(NamedTuple):
    """A pipeline that could serve.

    `remarks` say what is odd, but not wrong; `outputs` are the kinds of the entries of its answers.
    """

    definition: PipelineDefinition
    outputs: dict[str, ValueKind]
    remarks: tuple[str, ...]


def check_pipeline(pipeline: Pipeline, find_card: FindCard, source: str) -> CheckedPipeline:
    """Check a pipeline against the cards of its models; `source` names it in errors.

    Raises:
        InvalidPipeline: it could not serve.
    """
    checker = _Checker(pipeline, find_card)
    problems = list(checker.run())
    if problems:
        raise InvalidPipeline(source, problems)
    remarks = _remarks(pipeline, has_all_features=checker.has_all_features)
    return CheckedPipeline(pipeline.definition, checker.outputs, tuple(remarks))


class _Checker:
    """Checks the steps in their order, then the entries of the answer."""

    def __init__(self, pipeline: Pipeline, find_card: FindCard) -> None:
        self._pipeline = pipeline
        self._types = KnownTypes()
        self._steps = StepChecker(pipeline, find_card, self._types)
        self.outputs: dict[str, ValueKind] = {}
        for feature in pipeline.definition.input_schema.features:
            found = ValueType(feature.kind, feature.missing)
            self._types.kinds[Reference(REQUEST, feature.name)] = found

    @property
    def has_all_features(self) -> bool:
        """Whether a model takes the request's features by their own names."""
        return self._steps.has_all_features

    def run(self) -> Iterator[PipelineProblem]:
        """Yield all problems; what follows from a problem of an earlier step is left out."""
        broken: set[str] = set()
        for step in self._pipeline.steps:
            if broken.intersection(one.source for one in step.read):
                broken.add(step.name)
                continue
            problems = list(self._check(step))
            yield from problems
            if problems:
                broken.add(step.name)
            else:
                self._types.may_be_absent[step.name] = self._may_be_absent(step)
        for output in self._pipeline.outputs:
            if output.reference.source not in broken:
                try:
                    self.outputs[output.name] = self._check_output(output)
                except ExpressionError as error:
                    yield PipelineProblem(None, f"output {output.name}: {error}")

    def _check(self, step: ParsedStep) -> Iterator[PipelineProblem]:
        try:
            if step.when is not None:
                self._check_predicate(step)
            problems = list(self._steps.check(step))
            yield from (PipelineProblem(step.name, text) for text in problems)
            if not problems:
                yield from (PipelineProblem(step.name, one) for one in self._check_default(step))
        except ExpressionError as error:
            yield PipelineProblem(step.name, str(error))

    def _check_predicate(self, step: ParsedStep) -> None:
        if step.when is None:
            return
        found = type_of(step.when, lambda one: self._types.of(one, with_absence=True))
        if found.kind != "bool":
            raise ExpressionError(f"when: it must be true or false, and is {found.kind}")
        if step.when == Constant(value=False):
            raise ExpressionError("when: it is always false, so the step never runs: remove it")

    def _check_default(self, step: ParsedStep) -> Iterator[str]:
        if step.definition.on_error != "default":
            return
        default = step.definition.default or {}
        for name in self._pipeline.fields_of(step.name):
            kind = self._types.of(Reference(step.name, name), with_absence=False).kind
            if name not in default:
                yield f"default: `{step.name}.{name}` is used and has no default: add one"
            elif not fits(default[name], kind):
                yield f"default: {name} is {kind}, and its default {kind_of(default[name])}"

    def _may_be_absent(self, step: ParsedStep) -> bool:
        """Return whether a step may have no output for a row that is answered."""
        definition = step.definition
        if step.when is not None or definition.on_error == "skip" or definition.shadow:
            return True
        if step.needs_all:
            absent = any(self._types.may_be_absent.get(one, False) for one in step.sources)
            if absent or not isinstance(definition, EnsembleStep):
                return absent
        values = [self._types.of(one, with_absence=True).may_miss for one in step.values]
        if isinstance(definition, EnsembleStep):
            if step.needs_all:
                return any(values)
            return values.count(False) < definition.min_members
        return bool(values) and all(values)

    def _check_output(self, output: ParsedOutput) -> ValueKind:
        """Return the kind of an entry of the answer."""
        reference, default = output.reference, output.default
        found = self._types.of(reference, with_absence=True)
        if found.may_miss and default is None:
            raise ExpressionError(
                f"`{reference}` may have no value: give a default, as in"
                f' {{ from = "{reference}", default = 0 }}, or take it from an `any` step'
            )
        if default is not None and not fits(default, found.kind):
            raise ExpressionError(
                f"`{reference}` is {found.kind}, and its default {kind_of(default)}"
            )
        return found.kind


def _remarks(pipeline: Pipeline, *, has_all_features: bool) -> Iterator[str]:
    """Yield what is never used."""
    read = {reference for step in pipeline.steps for reference in step.read}
    read |= {output.reference for output in pipeline.outputs}
    if not has_all_features:
        for name in pipeline.definition.request:
            if Reference(REQUEST, name) not in read:
                yield f"the feature {name} of [request] is not used"
    for step in pipeline.steps:
        used: Sequence[str] = pipeline.fields_of(step.name)
        if isinstance(step.definition, TransformStep) and not step.definition.shadow:
            for name in step.expressions:
                if name not in used:
                    yield f"step {step.name}: the output {name} is not used"
        if step.when is not None and not any(True for _ in references(step.when)):
            yield f"step {step.name}: `when` depends on nothing"
