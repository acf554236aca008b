"""The outputs of a prediction's record: those that the call names, as values or as classes."""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from modstream.broker.wire.tensor_binary import encode_values
from modstream.producers.gateway.protocol.call_parameters import shown
from modstream.producers.gateway.protocol.errors import ProtocolError
from modstream.producers.gateway.protocol.infer_call import RequestedOutput


class _Names(Struct, frozen=True):
    """The names of an output's columns, such as its classes."""

    columns: list[Any] | None = None


class OutputTensor(Struct, frozen=True):
    """One output of a model; its values are row-major, as JSON or as Python values."""

    name: str
    shape: tuple[int, ...]
    datatype: str
    data: Raw | list[Any]
    parameters: _Names | None = None

    @property
    def names(self) -> list[Any] | None:
        """The names of its columns, None if they have none."""
        return self.parameters.columns if self.parameters else None

    @property
    def columns(self) -> str | None:
        """The names of its columns as a JSON list, because parameters are texts or numbers."""
        return None if self.names is None else _to_json(self.names).decode()

    def values(self) -> list[Any]:
        """Return its values, flat."""
        data = msgspec.json.decode(self.data) if isinstance(self.data, Raw) else self.data
        return list(_flatten(data)) if any(isinstance(one, list) for one in data) else data

    def to_json(self) -> bytes | Raw:
        """Return its values as JSON.

        Raises:
            ProtocolError: it contains NaN, which JSON does not know.
        """
        if isinstance(self.data, Raw):
            return self.data
        if any(isinstance(value, float) and math.isnan(value) for value in self.data):
            raise ProtocolError(
                400,
                f"the output {shown(self.name)} contains NaN, because its rows have different "
                "lengths, and JSON has no NaN; ask for it with binary_data, or send the rows one "
                "by one",
            )
        return _to_json(self.data)

    def to_bytes(self) -> bytes:
        """Return its values as raw bytes.

        Raises:
            ProtocolError: a value is not of its datatype.
        """
        try:
            return encode_values(self.datatype, self.values())
        except ValueError as error:
            raise ProtocolError(
                500, f"the output {shown(self.name)} cannot be encoded: {error}"
            ) from None


class Answer(Struct, frozen=True):
    """The part of a prediction that answers a call."""

    model: str
    version: int
    outputs: list[OutputTensor]


class _RawTensor(OutputTensor, frozen=True):
    """An output as it is decoded: its values are JSON."""

    data: Raw


class _RawAnswer(Answer, frozen=True):
    """An answer as it is decoded."""

    outputs: list[_RawTensor]  # type: ignore[assignment]


_decode = msgspec.json.Decoder(_RawAnswer).decode
_to_json = msgspec.json.Encoder().encode


def read_answer(prediction: bytes) -> Answer:
    """Read a prediction whose outputs are tensors.

    Raises:
        ProtocolError: it is not one.
    """
    try:
        return _decode(prediction)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass  # NaN, perhaps, which Python reads
    try:
        return msgspec.convert(json.loads(prediction), Answer)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        raise ProtocolError(500, "the worker's prediction does not consist of tensors") from None


def select(
    asked: Sequence[RequestedOutput], outputs: Sequence[OutputTensor]
) -> Iterator[tuple[RequestedOutput | None, OutputTensor]]:
    """Yield the outputs that a call names, or all, each with what the call says about it.

    Raises:
        ProtocolError: an output does not exist, or has no classes.
    """
    if not asked:
        yield from ((None, one) for one in outputs)
    named = {one.name: one for one in outputs}
    for one in asked:
        found = named.get(one.name)
        if found is None:
            raise ProtocolError(
                400,
                f"there is no output {shown(one.name)}; the outputs are "
                f"{', '.join(map(shown, named))}",
            )
        yield one, classify(found, one.classes) if one.classes else found


def classify(tensor: OutputTensor, count: int) -> OutputTensor:
    """Return the largest values of each row as texts `value:index`, or `value:index:name`.

    Args:
        tensor: an output of shape [n, ...], or [n] for one value per row.
        count: the number of texts per row, fewer if the output has fewer values.

    Raises:
        ProtocolError: the output does not consist of numbers.
    """
    values = tensor.values()
    if tensor.datatype in {"BYTES", "BOOL"}:
        raise ProtocolError(
            400,
            f"the output {shown(tensor.name)} has the datatype {tensor.datatype}, and only numbers "
            "can be classified",
        )
    rows = tensor.shape[0] if tensor.shape else 1
    width = len(values) // rows if rows else 0
    texts: list[str] = []
    for start in range(0, rows * width, width or 1):
        texts += _largest(values[start : start + width], count, tensor.names)
    return OutputTensor(tensor.name, (rows, min(count, width)), "BYTES", texts)


def _largest(row: Sequence[float], count: int, names: Sequence[Any] | None) -> Iterable[str]:
    order = sorted(range(len(row)), key=lambda at: (math.isnan(row[at]), -row[at], at))[:count]
    if names is None or len(names) != len(row):
        return [f"{row[at]}:{at}" for at in order]
    return [f"{row[at]}:{at}:{names[at]}" for at in order]


def _flatten(values: Sequence[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from _flatten(value)
        else:
            yield value
