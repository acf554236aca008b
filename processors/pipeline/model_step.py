"""The step that asks a model: its rows as one batch, its outputs as columns."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from modstream.models.errors import PredictError
from modstream.models.pipelines.model_outputs import is_usable, output_kinds
from modstream.models.pipelines.references import REQUEST, Reference
from modstream.models.pipelines.steps import ParsedStep
from modstream.models.runtimes.runtime import AnyRuntime, BatchOutputs, predict_batch
from modstream.models.schema.card import OUTPUT_NAMES, ModelCard
from modstream.models.schema.feature import Feature
from modstream.models.schema.input_schema import Batch
from modstream.processors.errors import Refusal, StepUnusable
from modstream.processors.pipeline.frame import Frame
from modstream.processors.pipeline.values import Column, Value, column_of, scatter


class StepModel(Protocol):
    """A loaded version of a model."""

    @property
    def card(self) -> ModelCard:
        """The version's card."""

    @property
    def runtime(self) -> AnyRuntime:
        """The runtime that predicts."""


Resolve = Callable[[str, int | str], StepModel | Refusal]
"""Returns the version of a model that a batch sees, or the reason why it sees none."""


@dataclass(slots=True)
class Asked:
    """What a model answered: outputs by name for all n rows, and why rows have none."""

    values: dict[str, Value]
    failed: dict[int, str]


def ask_model(
    step: ParsedStep, model: StepModel, frame: Frame, rows: Column, fields: Sequence[str] | None
) -> Asked:
    """Ask a model for some rows, shape (m,); the outputs `fields` are returned, or else all.

    If its runtime fails, the rows are bisected until those that it fails on are alone.

    Raises:
        StepUnusable: the version does not fit the pipeline.
    """
    card = model.card
    failed: dict[int, str] = {}
    if not is_usable(card):
        raise StepUnusable(f"model {card.name} version {card.version} cannot be a step")
    batch, wrong = _batch(step, card, frame, rows)
    for reason, mask in wrong:
        for row in rows[mask].tolist():
            failed.setdefault(row, reason)
    if failed:
        kept = np.flatnonzero([row not in failed for row in rows.tolist()])
        batch, rows = batch.take(kept.tolist()), rows[kept]
    parts = list(_predict(model, batch, rows, failed)) if len(rows) else []
    values = {}
    for name in fields or [one for one in output_kinds(card) if "." not in one]:
        found = [_column(card, name, outputs) for _, outputs in parts]
        if found:
            order = np.concatenate([answered for answered, _ in parts])
            values[name] = scatter(Value(_joined(found)), order, frame.size)
    return Asked(values, failed)


def _batch(
    step: ParsedStep, card: ModelCard, frame: Frame, rows: Column
) -> tuple[Batch, list[tuple[str, Column]]]:
    """Return the features of some rows, and the reasons why some of them have none, with masks."""
    columns, wrong = {}, []
    is_whole = len(rows) == frame.size
    for feature in card.input_schema.features:
        value = _source(step, card, frame, feature)
        if value is None:
            missing: Column = np.ones(len(rows), np.bool_)
            data = np.zeros(len(rows))
        else:
            value = value.expand(frame.size)
            value = value if is_whole else value.take(rows)
            missing = np.zeros(0, np.bool_) if value.missing is None else value.missing
            data = value.data
        column = _convert(card, feature, data, is_nowhere=bool(missing.size and missing.all()))
        if missing.any():
            if feature.missing:
                column = column.copy()
                column[missing] = np.nan if feature.kind == "float" else None
            else:
                wrong.append((f"feature {feature.name!r} of model {card.name} is missing", missing))
        columns[feature.name] = column
    batch = Batch(columns, len(rows))
    fits = card.input_schema.rows_in_range(batch)
    if fits is not None:
        wrong.append((f"a feature of model {card.name} does not fit its type", ~fits))
    return batch, wrong


def _source(step: ParsedStep, card: ModelCard, frame: Frame, feature: Feature) -> Value | None:
    """Return the value of a feature; None if it may be, and is, left out."""
    if step.inputs is None:
        is_known = feature.name in frame.batch.columns
        reference = Reference(REQUEST, feature.name) if is_known else None
    else:
        reference = step.inputs.get(feature.name)
    if reference is not None:
        return frame.value(reference)
    if feature.missing:
        return None
    raise StepUnusable(
        f"model {card.name} version {card.version} needs the feature {feature.name}, which the"
        " pipeline does not give it"
    )


def _convert(card: ModelCard, feature: Feature, data: Column, *, is_nowhere: bool) -> Column:
    """Return a column as the model's schema has it: numbers widen, nothing else is converted."""
    kind, found = feature.kind, data.dtype.kind
    if kind == "string":
        if found == "O" or is_nowhere:
            return data.astype(object)
    elif is_nowhere or found in {"float": "fib", "int": "ib", "bool": "b"}[kind]:
        target = {"float": np.float64, "int": np.int64, "bool": np.bool_}[kind]
        return np.zeros(len(data), target) if is_nowhere else data.astype(target, copy=False)
    raise StepUnusable(
        f"the feature {feature.name} of model {card.name} version {card.version} is {kind}, and its"
        " value is of another kind"
    )


def _predict(
    model: StepModel, batch: Batch, rows: Column, failed: dict[int, str]
) -> Iterator[tuple[Column, BatchOutputs]]:
    """Yield rows with their outputs; bisect where the runtime fails, and note failing rows."""
    try:
        outputs, finite = predict_batch(model.runtime, model.card, batch)
    except PredictError as error:
        if len(rows) == 1:
            failed[int(rows[0])] = str(error)
            return
        half = len(rows) // 2
        yield from _predict(model, batch.take(range(half)), rows[:half], failed)
        yield from _predict(model, batch.take(range(half, len(rows))), rows[half:], failed)
        return
    if finite.all():
        yield rows, outputs
        return
    failed.update(dict.fromkeys(rows[~finite].tolist(), "the output is not finite"))
    kept = np.flatnonzero(finite)
    if len(kept):
        if isinstance(outputs, list):
            yield rows[kept], [outputs[at] for at in kept]
        else:
            yield rows[kept], outputs[kept]


def _column(card: ModelCard, field: str, outputs: BatchOutputs) -> Column:
    """Return one output of each row.

    Raises:
        StepUnusable: the version has no such output.
    """
    if isinstance(outputs, list):
        return column_of([_pick(card, field, row) for row in outputs])
    if card.task != "multiclass":
        if field == OUTPUT_NAMES[card.task]:
            return outputs
        raise _no_output(card, field)
    if field == "label":
        classes = column_of(list(card.classes))
        return np.asarray(classes[outputs.argmax(axis=1)])
    names = [str(one) for one in card.classes]
    whole, _, name = field.partition(".")
    if whole != OUTPUT_NAMES[card.task] or (name and name not in names):
        raise _no_output(card, field)
    if name:
        return np.asarray(outputs[:, names.index(name)])
    return column_of([dict(zip(names, row, strict=True)) for row in outputs.tolist()])


def _pick(card: ModelCard, field: str, row: dict[str, Any]) -> Any:  # noqa: ANN401 - any output
    """Return an output of a row; names within a mapping may have dots themselves."""
    name, _, rest = field.partition(".")
    found = row.get(name)
    if rest:
        found = found.get(rest) if isinstance(found, dict) else None
    if found is None:
        raise _no_output(card, field)
    return found


def _no_output(card: ModelCard, field: str) -> StepUnusable:
    return StepUnusable(f"model {card.name} version {card.version} has no output {field}")


def _joined(columns: Sequence[Column]) -> Column:
    if len(columns) == 1:
        return columns[0]
    return np.concatenate(columns)
