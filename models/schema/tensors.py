"""Input tensors of the Open Inference Protocol V2, and their values."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType

import numpy as np

from modstream.models.errors import WrongShape, WrongType
from modstream.models.schema.columns import FeatureColumn, FeatureKind

_INTEGERS = frozenset(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))
_NUMBERS = _INTEGERS | {"FP16", "BF16", "FP32", "FP64"}
ACCEPTED_DATATYPES: Mapping[FeatureKind, frozenset[str]] = MappingProxyType(
    {
        "float": _NUMBERS | {"BOOL"},
        "int": _NUMBERS | {"BOOL"},
        "bool": frozenset({"BOOL"}),
        "string": frozenset({"BYTES"}),
    }
)
"""The tensor data types that a feature of each kind accepts."""


@dataclass(frozen=True, slots=True)
class InputTensor:
    """One named input of an Open Inference Protocol V2 request.

    `data` holds the values row-major, flat or nested by row; strings may be bytes in UTF-8.
    See https://github.com/open-inference/open-inference-protocol.
    """

    name: str
    shape: tuple[int, ...]
    datatype: str
    data: list[object] | FeatureColumn


def flatten_tensor(tensor: InputTensor) -> list[object]:
    """Return a tensor's values in row-major order, with byte strings decoded.

    Raises:
        WrongShape: the number of values contradicts the shape.
        WrongType: a byte string is not UTF-8.
    """
    data = tensor.data
    values: list[object] = data.ravel().tolist() if isinstance(data, np.ndarray) else list(data)
    for length in tensor.shape[1:]:
        rows = [value for value in values if isinstance(value, list)]
        if len(rows) != len(values) or {len(row) for row in rows} != {length}:
            break
        values = [value for row in rows for value in row]
    if len(values) != prod(tensor.shape):
        raise WrongShape(tensor.name, f"{prod(tensor.shape)} values", len(values))
    if tensor.datatype != "BYTES":
        return values
    return [_decode(tensor.name, value) if isinstance(value, bytes) else value for value in values]


def _decode(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise WrongType(name, "string", "bytes that are not UTF-8") from error
