"""What `modstream models publish` shows about a version: its card and the answers of its trial."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from modstream.cli.output import printable
from modstream.cli.output_names import describe_outputs, format_shape
from modstream.models.schema.card import ModelCard, Task
from modstream.processors.predict.outputs import by_name
from modstream.registry.publishing import TriedModel

TASK_NAMES: Mapping[Task, str] = {
    "binary": "binary classification",
    "multiclass": "multiclass classification",
    "regression": "regression",
    "anomaly": "anomaly detection",
    "forecast": "forecast",
    "multioutput_regression": "regression of several targets",
    "multioutput_classification": "classification of several targets",
    "clustering": "clustering",
    "transformation": "transformation of features",
    "tensors": "tensors in, tensors out",
    "pipeline": "pipeline of several steps",
}
MAX_FEATURES = 12
MAX_EXAMPLES = 3
MAX_EXAMPLE_LENGTH = 320
"""Length of an example or its answer, about five lines of a terminal."""
INPUT_DIGITS, OUTPUT_DIGITS = 10, 6
"""Significant digits of the numbers in examples."""


def print_trial(model: TriedModel, console: Console) -> None:
    """Print a version that has passed its trial, for a terminal of at least 80 columns."""
    card = model.card
    facts = Table.grid(padding=(0, 2), pad_edge=False)
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in _facts(model, card):
        facts.add_row(name, value)
    title = Text.assemble((printable(card.name), "bold"), f"  {printable(card.note)}")
    console.print(Group("", title, "", Padding(facts, (0, 0, 0, 2)), ""))


def trial_document(model: TriedModel) -> dict[str, Any]:
    """Return the same as a JSON document."""
    card, report = model.card, model.report
    fields = {"version", "created", "signature"}
    return {
        "card": card.model_dump(mode="json", exclude=fields),
        "outputs": dict(describe_outputs(card)),
        "examples": [
            {"row": _json(row, INPUT_DIGITS), "answer": _json(answer, OUTPUT_DIGITS)}
            for row, answer in example_answers(model)
        ],
        "load_seconds": report.load_seconds,
        "row_seconds": report.row_seconds,
        "batch_seconds": report.batch_seconds,
        "rows": report.rows,
        "difference_from_original": model.difference,
    }


def example_answers(model: TriedModel) -> Iterator[tuple[Mapping[str, object], Any]]:
    """Yield the first sample rows with the outputs that a prediction would have."""
    card = model.card
    if card.output_form == "tensors":
        yield {}, model.report.answers[0]
        return
    for row, answer in model.examples[:MAX_EXAMPLES]:
        is_array = card.output_form == "array"
        yield row, by_name(card, np.array(answer)) if is_array else answer


def _facts(model: TriedModel, card: ModelCard) -> Iterator[tuple[str, RenderableType]]:
    report = model.report
    yield "task", TASK_NAMES[card.task]
    yield "outputs", _grid(describe_outputs(card))
    yield "inputs", _inputs(card)
    examples = list(example_answers(model))
    if examples:
        yield "examples", _examples(examples)
    yield "size", f"{card.size:,} bytes, runtime {card.runtime}"
    yield "loading", f"{_time(report.load_seconds)}"
    if not report.rows:
        yield "predicting", "nothing yet: it has no prediction before its first labels"
        return
    alone = f"{_time(report.row_seconds)} for one row"
    together = f"{_time(report.batch_seconds)} for {report.rows:,} together"
    if not report.rows:
        alone = together = "only after its first labels"
    is_one = card.output_form == "tensors" or not report.rows
    yield "predicting", alone if is_one else f"{alone}, {together}"
    yield "precision", _precision(model, card)


def _inputs(card: ModelCard) -> RenderableType:
    if card.task == "tensors":
        return _grid(
            (spec.name, f"{spec.datatype} {format_shape(spec.shape)}")
            for spec in card.input_tensors
        )
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, header_style="dim", pad_edge=False)
    for header in ("name", "type", "may be missing"):
        table.add_column(header, overflow="fold")
    features = card.input_schema.features
    for feature in features[:MAX_FEATURES]:
        kind = feature.kind if feature.dtype is None else f"{feature.kind} ({feature.dtype})"
        is_missing = "yes" if feature.missing else "no"
        table.add_row(Text(printable(feature.name)), kind, is_missing)
    more = len(features) - MAX_FEATURES
    return Group(table, Text(f"and {more:,} more", "dim")) if more > 0 else table


def _examples(examples: list[tuple[Mapping[str, object], Any]]) -> RenderableType:
    lines = Table.grid()
    lines.add_column(overflow="fold")
    for row, answer in examples:
        if row:
            lines.add_row(Text(_one_line(row, INPUT_DIGITS), "dim"))
        lines.add_row(Text(f"→ {_one_line(answer, OUTPUT_DIGITS)}"))
    return lines


def _precision(model: TriedModel, card: ModelCard) -> str:
    """Return what is known about the differences from the original's outputs."""
    found = card.fidelity
    if found is not None and found.precision == "original":
        return "stored as it is, not converted"
    if found is not None:
        return f"{found.precision}; {_largest(found.max_difference, found.rows)}"
    if model.difference is not None:
        return _largest(model.difference, len(model.report.answers))
    return "as in the file; there is no original to compare with"


def _largest(difference: float, rows: int) -> str:
    return f"largest difference from the original {difference:.2g} in {rows:,} rows"


def _grid(pairs: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, meaning in pairs:
        table.add_row(Text(printable(name)), Text(printable(meaning)))
    return table


def _time(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.1f} s"
    milliseconds = seconds * 1000
    return f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.2g} ms"


def _one_line(value: object, digits: int) -> str:
    """Return a value as JSON; a long one ends before the value that would not fit."""
    text = printable(json.dumps(_json(value, digits), ensure_ascii=False))
    if len(text) <= MAX_EXAMPLE_LENGTH:
        return text
    kept = text[:MAX_EXAMPLE_LENGTH]
    return f"{kept[: kept.rfind(', ') + 1] or kept} …"


def _json(value: Any, digits: int) -> Any:  # noqa: ANN401 - a value of JSON
    """Return a value with numbers rounded for the eye, and null for those that JSON lacks."""
    if isinstance(value, Mapping):
        return {str(key): _json(one, digits) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_json(one, digits) for one in value]
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else None
    return value
