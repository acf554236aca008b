"""Steps of wrangling as nodes of ONNX, with the semantics of `processors.wrangle`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from modstream.models.datasets.columns import ColumnKind
from modstream.models.datasets.wrangle_kinds import (
    StepProblem,
    expression_of,
    kinds_after,
)
from modstream.models.datasets.wrangle_needs import ServableStep
from modstream.models.datasets.wrangle_steps import (
    Clip,
    Combine,
    Derive,
    Fill,
    FittedFill,
    Keep,
    Rename,
    step_label,
)
from modstream.models.errors import StepsNotServable
from modstream.models.onnx_steps.expressions import to_text, write_expression
from modstream.models.onnx_steps.writer import GraphValue, GraphWriter
from modstream.models.pipelines.kinds import ValueKind
from modstream.models.schema.columns import FeatureKind, Scalar
from modstream.models.schema.input_schema import InputSchema


@dataclass(slots=True)
class GraphTable:
    """The columns while steps are written; `failed` is where a step has failed, or None."""

    writer: GraphWriter
    columns: dict[str, GraphValue]
    failed: str | None = field(default=None)


def input_table(writer: GraphWriter, schema: InputSchema) -> GraphTable:
    """Return the columns of a graph's inputs, which have the names of the features."""
    columns = {}
    for feature in schema.features:
        missing = writer.op("IsNaN", feature.name) if feature.missing else None
        columns[feature.name] = GraphValue(feature.name, feature.kind, missing)
    return GraphTable(writer, columns)


def write_steps(table: GraphTable, steps: Sequence[ServableStep]) -> None:
    """Write steps after those of a table.

    Raises:
        StepsNotServable: a step does not fit the columns, or has no form in ONNX.
    """
    kinds: dict[str, ColumnKind] = {
        name: cast(ColumnKind, value.kind) for name, value in table.columns.items()
    }
    for number, step in enumerate(steps, start=1):
        try:
            after = kinds_after(step, kinds)
            _write(table, step, after)
        except (StepProblem, StepsNotServable) as problem:
            raise StepsNotServable(f"step {step_label(number, step)}: {problem}") from None
        kinds = after


def _write(
    table: GraphTable,
    step: ServableStep,
    after: Mapping[str, ColumnKind],
) -> None:
    match step:
        case Rename(rename=names):
            table.columns = {names.get(name, name): value for name, value in table.columns.items()}
        case Keep(keep=kept):
            table.columns = {name: table.columns[name] for name in kept}
        case Derive():
            _derive(table, step, after)
        case Combine(combine=parts, separator=separator):
            table.columns |= {
                name: _combine(table, columns, separator) for name, columns in parts.items()
            }
        case Clip(clip=bounds):
            for name, limits in bounds.items():
                table.columns[name] = _clip(table.writer, table.columns[name], limits)
        case Fill(fill=constants):
            for name, constant in constants.items():
                if not isinstance(constant, FittedFill):
                    table.columns[name] = _fill(table.writer, table.columns[name], constant)


def _derive(
    table: GraphTable,
    step: Derive,
    after: Mapping[str, ColumnKind],
) -> None:
    writer = table.writer
    values = {
        name: write_expression(writer, expression_of(text), table.columns)
        for name, text in step.derive.items()
    }
    for name, value in values.items():
        found = _of_kind(writer, value, cast(ValueKind, after[name]))
        missing = found.missing
        if step.on_error == "fail":
            table.failed = writer.either(table.failed, found.failed)
        else:
            missing = writer.either(missing, found.failed)
        table.columns[name] = found._replace(missing=missing, failed=None)


def _of_kind(writer: GraphWriter, value: GraphValue, kind: ValueKind) -> GraphValue:
    return value._replace(data=writer.cast(value, kind), kind=kind)


def _combine(table: GraphTable, columns: Sequence[str], separator: str) -> GraphValue:
    values = [table.columns[name] for name in columns]
    texts = [to_text(table.writer, [value]).data for value in values]
    missing = table.writer.either(*(value.missing for value in values))
    return GraphValue(table.writer.join(texts, separator), "string", missing)


def _clip(writer: GraphWriter, value: GraphValue, limits: Sequence[float]) -> GraphValue:
    kind = cast(FeatureKind, value.kind)
    low, high = (writer.constant(int(one) if kind == "int" else float(one), kind) for one in limits)
    return value._replace(data=writer.op("Min", writer.op("Max", value.data, low), high))


def _fill(writer: GraphWriter, value: GraphValue, constant: Scalar) -> GraphValue:
    if value.missing is None:
        return value
    kind = cast(FeatureKind, value.kind)
    stand_in = writer.constant(float(constant) if kind == "float" else constant, kind)
    return GraphValue(writer.where(value.missing, stand_in, value.data, value.kind), value.kind)
