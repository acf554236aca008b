"""The outputs of a prediction as text: all of them, or only what fits into a column."""

import re
from collections.abc import Iterator, Mapping, Sequence
from re import Match
from textwrap import wrap
from typing import Any

from rich.cells import cell_len

from modstream.broker.wire.contracts import Tensor
from modstream.cli.output import printable
from modstream.cli.output_names import format_shape

NAMED_VALUE = re.compile(r"\S+: \S+")
NO_BREAK = "\N{NO-BREAK SPACE}"
MAX_ITEMS = 8
"""Number of classes, periods or values that are shown; the others are counted."""
MIN_TEXT_WIDTH = 30
"""Number of characters of a text beside a name, however narrow the terminal is."""
SCORES = ("probabilities", "margins", "distances")
"""Outputs that hold a number for each class or cluster."""


def format_value(value: object) -> str:
    """Return a value as text: floats are rounded, mappings written as `name: value`."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _format_float(value)
    if isinstance(value, Mapping):
        items = _largest_first(value)
        return _enumerate([f"{printable(str(name))}: {format_value(one)}" for name, one in items])
    if isinstance(value, list | tuple):
        return _enumerate([format_value(one) for one in value])
    return printable(str(value))


def output_fields(outputs: object) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each output: of a row by name, or of tensors."""
    if isinstance(outputs, Mapping):
        for name, value in outputs.items():
            yield printable(str(name)), format_value(value)
        return
    for number, one in enumerate(outputs if isinstance(outputs, Sequence) else ()):
        if isinstance(one, Tensor):
            kind = f"{one.datatype} {format_shape(one.shape)}"
            yield printable(one.name), f"{kind}: {format_value(_flat(one.data))}"
        else:
            yield f"row {number}", headline(one)


def headline(outputs: object) -> str:
    """Return the outputs in one short line: a label with its score, or the values by name."""
    if isinstance(outputs, Mapping) and "label" in outputs:
        label = outputs["label"]
        scores = next((outputs[name] for name in SCORES if name in outputs), None)
        # Classes are the names of scores as Python writes them.
        if isinstance(scores, Mapping) and str(label) in scores:
            return f"{format_value(label)} ({format_value(scores[str(label)])})"
    fields = list(output_fields(outputs))
    if len(fields) == 1 and fields[0][0] == "label":
        return fields[0][1]
    return "; ".join(f"{name} {text}" for name, text in fields)


def named_lines(pairs: Sequence[tuple[str, str]], width: int) -> Iterator[str]:
    """Yield names and texts side by side; a text that is too long goes on below."""
    indent = max((cell_len(name) for name, _ in pairs), default=0) + 2
    for name, text in pairs:
        for number, line in enumerate(wrap_text(text, max(width - indent, MIN_TEXT_WIDTH))):
            start = name + " " * (indent - cell_len(name)) if number == 0 else " " * indent
            yield (start + line).rstrip()


def wrap_text(text: str, width: int) -> list[str]:
    """Return the lines of a text, at least one; a name is not parted from its value."""

    def glue(pair: Match[str]) -> str:
        return pair[0].replace(" ", NO_BREAK) if len(pair[0]) <= width else pair[0]

    glued = NAMED_VALUE.sub(glue, text)
    lines = wrap(glued, width, break_long_words=False, break_on_hyphens=False)
    return [line.replace(NO_BREAK, " ") for line in lines] or [""]


def to_json(outputs: object) -> Any:  # noqa: ANN401 - a value of JSON
    """Return outputs as a value of JSON."""
    if isinstance(outputs, Mapping):
        return dict(outputs)
    sequence = outputs if isinstance(outputs, Sequence) else ()
    return [
        one.model_dump(mode="json", exclude_none=True) if isinstance(one, Tensor) else one
        for one in sequence
    ]


def _format_float(value: float) -> str:
    """Return a number with six digits, or four if it is below 1, as probabilities are."""
    if 1e6 <= abs(value) < 1e15:
        return f"{value:.0f}"  # without an exponent
    return f"{value:.4g}" if abs(value) < 1 else f"{value:.6g}"


def _largest_first(items: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    """Return items in their order, or the largest first if only some of them are shown."""
    pairs = list(items.items())
    is_numeric = all(isinstance(value, int | float) for _, value in pairs)
    if len(pairs) <= MAX_ITEMS or not is_numeric:
        return pairs
    return sorted(pairs, key=lambda pair: -pair[1])


def _enumerate(texts: Sequence[str]) -> str:
    more = len(texts) - MAX_ITEMS
    shown = ", ".join(texts[:MAX_ITEMS])
    return f"{shown} and {more:,} more" if more > 0 else shown


def _flat(values: object) -> list[object]:
    """Return the values of nested lists in row-major order."""
    if not isinstance(values, list):
        return [values]
    return [one for value in values for one in _flat(value)]
