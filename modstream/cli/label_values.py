"""Labels from text: as the classes or the numbers of the model's card, or else as JSON."""

import json
from collections.abc import Callable, Mapping
from time import time
from typing import Any

import typer
from pydantic import ValidationError

from modstream.broker.wire.contract_errors import describe
from modstream.broker.wire.contracts import Label
from modstream.broker.wire.features import JsonScalar
from modstream.cli.time_options import parse_time
from modstream.errors import InvalidValue
from modstream.models.schema.card import ModelCard
from modstream.processors.guard.label_domain import LabelDomain

COLUMNS = ("id", "label", "row", "revision", "event_time", "key")
"""The columns of a file of labels; `id` and `label` are required."""


class LabelParser:
    """Parses the labels of one model; without its card, a label is JSON, or else a text."""

    def __init__(self, card: ModelCard | None) -> None:
        self._card = card
        self._domain = None if card is None else LabelDomain.of(card)

    def is_of(self, model: str) -> bool:
        """Return whether the labels are those of this model."""
        return self._card is not None and self._card.name == model

    def parse(self, text: str) -> JsonScalar:
        """Return the label that a text stands for: one that the model can learn, if there is one.

        Raises:
            InvalidValue: the text is empty.
        """
        if not text:
            raise InvalidValue("the label is empty")
        candidates = [*_json_scalars(text), text]
        if self._domain is not None:
            for candidate in candidates:
                if self._domain.canonical(candidate) is not None:
                    return candidate
        return candidates[0]

    def problem(self, label: object) -> str | None:
        """Return why the model cannot learn a label, or None if it can."""
        if self._domain is None or self._card is None:
            return None
        if self._domain.canonical(label) is not None:
            return None
        name = f"{self._card.name} version {self._card.version}"
        return f"{name} cannot learn this label: {self._domain.reject(label)}"


def make_label(fields: Mapping[str, Any]) -> Label:
    """Return a label of the fields of a row; its event time is now if there is none.

    Raises:
        InvalidValue: a field is missing, or has a value that no label can have.
    """
    document = {name: fields[name] for name in COLUMNS[:-1] if fields.get(name) is not None}
    document.setdefault("event_time", round(time() * 1000))
    try:
        return Label.model_validate(document)
    except ValidationError as error:
        raise InvalidValue(describe(error, document)) from None


def column_parser(parser: LabelParser) -> Callable[[Mapping[str, str]], Mapping[str, Any]]:
    """Return a function that parses the columns of a row of CSV; unknown columns are dropped.

    It raises InvalidValue if a column has another form.
    """

    def parse(texts: Mapping[str, str]) -> Mapping[str, Any]:
        missing = [name for name in COLUMNS[:2] if name not in texts]
        if missing:
            raise InvalidValue(f"the header lacks the column {missing[0]}")
        fields: dict[str, Any] = {"id": texts["id"], "label": parser.parse(texts["label"])}
        for name in ("row", "revision"):
            if texts.get(name):
                fields[name] = _parse_int(name, texts[name])
        if texts.get("event_time"):
            fields["event_time"] = _parse_event_time(texts["event_time"])
        return fields | {"key": texts.get("key") or None}

    return parse


def _json_scalars(text: str) -> list[JsonScalar]:
    """Return the number or truth value that a text stands for, if there is one."""
    if text.lower() in {"true", "false"}:
        return [text.lower() == "true"]
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return [value] if isinstance(value, int | float) else []


def _parse_int(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidValue(f"{name} must be a whole number, not {text[:100]!r}") from None


def _parse_event_time(text: str) -> int:
    try:
        return parse_time(text)
    except typer.BadParameter as error:
        raise InvalidValue(f"event_time: {error.message}") from None
