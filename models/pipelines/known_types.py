"""What is known of the values of a pipeline while its steps are checked one after the other."""

from dataclasses import dataclass, field

from modstream.models.pipelines.expressions import ExpressionError
from modstream.models.pipelines.kinds import NUMBERS, ValueKind, ValueType, kind_of
from modstream.models.pipelines.model_outputs import find_kind
from modstream.models.pipelines.references import Reference
from modstream.models.pipelines.steps import ParsedStep
from modstream.models.schema.columns import Scalar


@dataclass(slots=True)
class KnownTypes:
    """What is known of the values of the steps that were checked so far."""

    kinds: dict[Reference, ValueType] = field(default_factory=dict)
    open_kinds: dict[str, dict[str, ValueKind]] = field(default_factory=dict)
    """Outputs of each model by field; fields of unchecked models are missing."""
    may_be_absent: dict[str, bool] = field(default_factory=dict)
    """Whether a step may have no output for a row."""

    def of(self, reference: Reference, *, with_absence: bool) -> ValueType:
        """Return the type of a value; with absence, it may also miss as its step has no output."""
        kind = self.kinds.get(reference)
        if kind is None:
            known = self.open_kinds.get(reference.source, {})
            found = find_kind(known, reference.field)
            if found is None:
                raise ExpressionError(
                    f"`{reference}`: the model has no output {reference.field};"
                    f" it has {', '.join(known)}"
                )
            kind = ValueType(found)
        absent = with_absence and self.may_be_absent.get(reference.source, False)
        return ValueType(kind.kind, kind.may_miss or absent)

    def taken_by(self, step: ParsedStep, reference: Reference) -> ValueType:
        """Return the type of what a step takes in the rows that it runs on."""
        return self.of(reference, with_absence=not step.needs_all)


def fits(default: Scalar, kind: ValueKind) -> bool:
    """Return whether a default has the kind of the value that it stands for."""
    return kind_of(default) in (NUMBERS if kind == "float" else {kind})
