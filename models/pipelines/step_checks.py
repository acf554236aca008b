"""The check of each kind of step: names, kinds, and values that may be missing."""

from collections.abc import Callable, Iterator

from modstream.models.errors import ModelError
from modstream.models.pipelines.definition import PIPELINE
from modstream.models.pipelines.expressions import ExpressionError
from modstream.models.pipelines.kinds import (
    NUMBERS,
    ValueKind,
    ValueType,
    common_kind,
    kind_of,
    type_of,
)
from modstream.models.pipelines.known_types import KnownTypes
from modstream.models.pipelines.model_outputs import find_kind, is_usable, output_kinds
from modstream.models.pipelines.pipeline import Pipeline
from modstream.models.pipelines.references import REQUEST, Reference
from modstream.models.pipelines.step_definitions import (
    Bin,
    EnsembleStep,
    Lookup,
    ModelStep,
    TransformStep,
)
from modstream.models.pipelines.steps import ParsedStep
from modstream.models.schema.card import ModelCard
from modstream.models.schema.feature import Feature

FindCard = Callable[[str, int | str], ModelCard]
"""Returns the card of a model's version or alias, or raises `ModelError`."""

ACCEPTED: dict[str, frozenset[str]] = {
    "float": frozenset({"float", "int", "bool"}),
    "int": frozenset({"int", "bool"}),
    "bool": frozenset({"bool"}),
    "string": frozenset({"string"}),
}
"""The kinds of values that a feature of each kind takes, as a request's values are taken."""


class StepChecker:
    """Checks steps in their order; the types of their values are kept for those that follow."""

    def __init__(self, pipeline: Pipeline, find_card: FindCard, types: KnownTypes) -> None:
        self._pipeline = pipeline
        self._find_card = find_card
        self._types = types
        self.has_all_features = False
        """Whether a model takes the request's features by their own names."""

    def check(self, step: ParsedStep) -> Iterator[str]:
        """Yield what is wrong with a step.

        Raises:
            ExpressionError: its values do not fit together.
        """
        match step.definition:
            case ModelStep():
                yield from self._check_model(step, step.definition)
            case TransformStep():
                yield from self._check_transform(step, step.definition)
            case EnsembleStep():
                yield from self._check_ensemble(step, step.definition)
            case _:
                yield from self._check_any(step)

    def _check_model(self, step: ParsedStep, definition: ModelStep) -> Iterator[str]:
        try:
            card = self._find_card(definition.model, definition.version)
        except ModelError as error:
            yield f"{error}: publish it first (`modstream models publish`), or correct its name"
            return
        if not is_usable(card):
            what = "a pipeline" if card.task == PIPELINE else f"a model of the task {card.task}"
            yield f"{card.name} is {what}, which no step can be: name a model of rows"
            return
        inputs = step.inputs
        if inputs is None:
            self.has_all_features = True
            names = self._pipeline.definition.request
            inputs = {
                name: Reference(REQUEST, name) for name in card.input_schema.names if name in names
            }
        yield from self._check_features(step, card, inputs)
        for name in inputs.keys() - set(card.input_schema.names):
            known = ", ".join(card.input_schema.names)
            yield f"model {card.name} has no feature {name}; its features are {known}"
        kinds = output_kinds(card)
        self._types.open_kinds[step.name] = kinds
        for name in self._pipeline.fields_of(step.name):
            if find_kind(kinds, name) is None:
                yield f"model {card.name} has no output {name}; it has {', '.join(kinds)}"

    def _check_features(
        self, step: ParsedStep, card: ModelCard, inputs: dict[str, Reference]
    ) -> Iterator[str]:
        for feature in card.input_schema.features:
            reference = inputs.get(feature.name)
            if reference is not None:
                yield from self._check_feature(step, card, feature, reference)
            elif not feature.missing:
                where = "[request]" if step.inputs is None else "inputs"
                yield (
                    f"model {card.name} needs the feature {feature.name} ({feature.kind}):"
                    f" add it to {where}"
                )

    def _check_feature(
        self, step: ParsedStep, card: ModelCard, feature: Feature, reference: Reference
    ) -> Iterator[str]:
        found = self._types.taken_by(step, reference)
        if found.kind not in ACCEPTED[feature.kind]:
            cast = "str" if feature.kind == "string" else feature.kind
            yield (
                f"the feature {feature.name} of {card.name} is {feature.kind}, and `{reference}` is"
                f" {found.kind}: cast it in a transform, as in `{cast}({reference})`"
            )
        elif found.may_miss and not feature.missing:
            yield (
                f"the feature {feature.name} of {card.name} may not be missing, and `{reference}`"
                " may be: fill it in a transform, as in `coalesce(" + str(reference) + ", 0)`"
            )

    def _check_transform(self, step: ParsedStep, definition: TransformStep) -> Iterator[str]:
        for name, value in definition.transform.items():
            expression = step.expressions[name]
            try:
                found = type_of(expression, lambda one: self._types.taken_by(step, one))
                if isinstance(value, Lookup):
                    found = self._lookup_type(value, found)
                elif isinstance(value, Bin):
                    found = self._bin_type(value, found)
            except ExpressionError as error:
                yield f"{name}: {error}"
            else:
                self._types.kinds[Reference(step.name, name)] = found

    @staticmethod
    def _lookup_type(value: Lookup, found: ValueType) -> ValueType:
        if found.kind not in {"string", "int", "bool"}:
            raise ExpressionError(f"a lookup takes string, int or bool, not {found.kind}: cast it")
        values = [*value.table.values(), *([] if value.default is None else [value.default])]
        return ValueType(common_kind(list(map(kind_of, values)), "its values"), found.may_miss)

    @staticmethod
    def _bin_type(value: Bin, found: ValueType) -> ValueType:
        if found.kind not in NUMBERS:
            raise ExpressionError(f"a bin takes float or int, not {found.kind}: cast it")
        kinds: list[ValueKind] = ["int"]
        if value.labels is not None:
            kinds = list(map(kind_of, value.labels))
        return ValueType(common_kind(kinds, "its labels"), found.may_miss)

    def _check_ensemble(self, step: ParsedStep, definition: EnsembleStep) -> Iterator[str]:
        kinds = [self._types.taken_by(step, one).kind for one in step.values]
        if definition.ensemble == "vote":
            label = common_kind(kinds, "the members")
            if label == "mapping":
                yield "mappings cannot be voted on: name a value of each"
            self._types.kinds[Reference(step.name, "label")] = ValueType(label)
            self._types.kinds[Reference(step.name, "share")] = ValueType("float")
            return
        for reference, kind in zip(step.values, kinds, strict=True):
            if kind not in NUMBERS:
                yield f"an average needs numbers, and `{reference}` is {kind}: vote, or cast it"
        self._types.kinds[Reference(step.name, "value")] = ValueType("float")

    def _check_any(self, step: ParsedStep) -> Iterator[str]:
        kinds = [self._types.taken_by(step, one).kind for one in step.values]
        kind = common_kind(kinds, "the alternatives")
        self._types.kinds[Reference(step.name, "value")] = ValueType(kind)
        self._types.kinds[Reference(step.name, "source")] = ValueType("string")
        for reference in step.values[:-1]:
            if not self._types.taken_by(step, reference).may_miss:
                yield (
                    f"`{reference}` is never missing, so what follows it is never used: give its"
                    ' step a `when` or on_error = "skip", or remove the rest'
                )
