"""Rows from files and standard input: CSV with a header, JSON lines, or one JSON list of rows."""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

import typer

from modstream.errors import InvalidInputLine, InvalidValue

BYTE_ORDER_MARK = "\ufeff"
DELIMITERS = (",", ";", "\t")
STANDARD_INPUT = "-"

ParseTexts = Callable[[Mapping[str, str]], Mapping[str, Any]]
"""Turns the texts of a row of CSV, by column, into values. Raises InvalidValue."""
NumberedRow = tuple[int, Mapping[str, Any]]
"""The number of a row's line, from 1, and its values by name."""


@contextmanager
def open_input(source: str) -> Iterator[TextIO]:
    """Open a file as UTF-8, or standard input for `-`.

    Raises:
        typer.BadParameter: the file cannot be opened.
    """
    if source == STANDARD_INPUT:
        yield sys.stdin
        return
    try:
        file = Path(source).open(  # noqa: SIM115 - entered below, outside the `try`
            encoding="utf-8-sig", errors="surrogateescape", newline=""
        )
    except OSError as error:
        raise typer.BadParameter(f"{source} cannot be read: {error.strerror}") from None
    with file:
        yield file


def read_rows(lines: Iterable[str], parse_texts: ParseTexts) -> Iterator[NumberedRow]:
    """Yield the rows of a text; its first character tells the format.

    A row of CSV is parsed by `parse_texts`; a row of JSON has its types already. Empty lines are
    skipped.

    Raises:
        InvalidInputLine: a line is not a valid row.
    """
    numbered = enumerate(lines, start=1)
    unmarked = ((number, line.lstrip(BYTE_ORDER_MARK)) for number, line in numbered)
    first = next(((number, line) for number, line in unmarked if line.strip()), None)
    if first is None:
        return
    start = first[1].lstrip()[0]
    every = chain([first], unmarked)
    if start == "[":
        yield from _read_list(every)
    elif start == "{":
        yield from _read_json_lines(every)
    else:
        yield from _read_csv(every, parse_texts)


def _read_list(lines: Iterable[tuple[int, str]]) -> Iterator[NumberedRow]:
    text = "".join(line for _, line in lines)
    for number, row in enumerate(_parse_json(1, text), start=1):
        yield number, _row(number, row)


def _read_json_lines(lines: Iterable[tuple[int, str]]) -> Iterator[NumberedRow]:
    for number, line in lines:
        if line.strip():
            yield number, _row(number, _parse_json(number, line))


def _read_csv(lines: Iterable[tuple[int, str]], parse_texts: ParseTexts) -> Iterator[NumberedRow]:
    numbered = iter(lines)
    first_number, header_line = next(numbered)
    delimiter = max(DELIMITERS, key=header_line.count)
    (header,) = csv.reader([header_line], delimiter=delimiter)
    reader = csv.reader((line for _, line in numbered), delimiter=delimiter, strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InvalidInputLine(first_number + reader.line_num, str(error)) from None
        number = first_number + reader.line_num
        if not cells:
            continue
        if len(cells) != len(header):
            reason = f"it has {len(cells)} values and the header has {len(header)} columns"
            raise InvalidInputLine(number, reason)
        texts = dict(zip(header, cells, strict=True))
        _check_encoding(number, "".join(cells))
        try:
            yield number, parse_texts(texts)
        except InvalidValue as error:
            raise InvalidInputLine(number, str(error)) from None


def _parse_json(number: int, text: str) -> Any:  # noqa: ANN401 - a value of JSON
    _check_encoding(number, text)
    try:
        return json.loads(text)
    except RecursionError:
        raise InvalidInputLine(number, "it is nested too deeply") from None
    except ValueError as error:
        raise InvalidInputLine(number, f"it is not JSON: {error}") from None


def _check_encoding(number: int, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInputLine(number, "it is not UTF-8") from None


def _row(number: int, row: object) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        reason = 'it is not a row of values by name, {"name": value, ...}'
        raise InvalidInputLine(number, reason)
    return row
