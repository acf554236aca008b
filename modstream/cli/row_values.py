"""Rows of features from text: values as the model's card says, or else as JSON."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from modstream.broker.wire.contract_errors import describe
from modstream.broker.wire.contracts import Request, Tensor
from modstream.errors import InvalidValue
from modstream.models.schema.card import ModelCard
from modstream.models.schema.columns import FeatureKind
from modstream.models.schema.input_schema import Feature

Row = Mapping[str, Any]
"""The values of a row by name; lists are tensors."""

BOOLS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
MAX_NAMES = 10
"""Number of names that a message lists."""


class RowParser:
    """Parses the rows of one model; without its card, values are JSON, or else texts."""

    def __init__(self, card: ModelCard | None) -> None:
        self._card = card
        features = () if card is None else card.input_schema.features
        self._features: Mapping[str, Feature] = {feature.name: feature for feature in features}
        tensors = () if card is None else card.input_tensors
        self._tensors = {spec.name: spec for spec in tensors}

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Return the names that the model does not take; none if it is not known."""
        if self._card is None:
            return []
        return [name for name in names if name not in {*self._features, *self._tensors}]

    def names(self) -> str:
        """Return what the model takes, as text."""
        names = [*self._features, *self._tensors]
        more = len(names) - MAX_NAMES
        shown = ", ".join(names[:MAX_NAMES])
        return f"{shown} and {more:,} more" if more > 0 else shown

    def parse(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """Return the values of a row that is given as texts by name.

        Raises:
            InvalidValue: a text is not of the kind of its feature.
        """
        return {name: self._parse(name, text) for name, text in texts.items()}

    def request(self, request_id: str, row: Row, model: str | None, version: int | str) -> Request:
        """Return the request for a row: by name, or with tensors if the model takes them.

        Raises:
            InvalidValue: no request can have this row.
        """
        document: dict[str, Any] = {"id": request_id, "model": model, "version": version}
        if self._tensors:
            document["inputs"] = [self._tensor(name, value) for name, value in row.items()]
        else:
            document["features"] = dict(row)
        try:
            return Request.model_validate(document)
        except ValidationError as error:
            raise InvalidValue(describe(error, document)) from None

    def _parse(self, name: str, text: str) -> Any:  # noqa: ANN401 - a value of JSON
        feature = self._features.get(name)
        if feature is None:
            return _parse_json(text)
        if feature.missing and not text:
            return None
        if feature.kind == "string":
            return text
        if text in {"", "null"}:
            return None
        parse, expected = _KINDS[feature.kind]
        try:
            return parse(text)
        except (ValueError, KeyError):
            raise InvalidValue(f"{name} must be {expected}, not {text[:100]!r}") from None

    def _tensor(self, name: str, value: object) -> dict[str, Any]:
        spec = self._tensors.get(name)
        if spec is None:
            raise InvalidValue(f"the model has no input {name}: its inputs are {self.names()}")
        shape = _shape_of(value)
        data = value if isinstance(value, list) else [value]
        fields = {"name": name, "shape": shape, "datatype": spec.datatype, "data": data}
        try:
            Tensor.model_validate(fields)
        except ValidationError as error:
            raise InvalidValue(describe(error, fields)) from None
        return fields


def _parse_int(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if not number.is_integer():
            raise
        return int(number)


_KINDS: Mapping[FeatureKind, tuple[Callable[[str], Any], str]] = {
    "float": (float, "a number"),
    "int": (_parse_int, "a whole number"),
    "bool": (lambda text: BOOLS[text.lower()], "true or false"),
}


def _parse_json(text: str) -> Any:  # noqa: ANN401 - a value of JSON
    """Return a text as JSON, or as it is if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _shape_of(value: object) -> list[int]:
    """Return the shape of nested lists, by the first element of each level."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return shape
