"""Conversion of a request's tensors to the numpy arrays that a tensor model takes."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modstream.models.errors import (
    MissingFeature,
    NotFinite,
    OutOfRange,
    WrongShape,
    WrongType,
)
from modstream.models.schema.card import TensorSpec
from modstream.models.schema.tensors import InputTensor, flatten_tensor

DTYPES: Mapping[str, str] = MappingProxyType(
    {
        "BOOL": "bool",
        **{f"{sign}INT{bits}": f"{sign.lower()}int{bits}" for sign in ("", "U")
           for bits in (8, 16, 32, 64)},
        "FP16": "float16", "FP32": "float32", "FP64": "float64",
        "BYTES": "object",
    }
)  # fmt: skip
"""The numpy type of each data type of the Open Inference Protocol."""


def parse_input_tensors(
    specs: Sequence[TensorSpec], inputs: Sequence[InputTensor]
) -> dict[str, NDArray[Any]]:
    """Return the array of each tensor that a model takes.

    A request of one tensor to a model of one tensor may give it any name.

    Raises:
        InputError: a tensor is missing, or has the wrong type, shape or values.
    """
    named = {tensor.name: tensor for tensor in inputs}
    if len(inputs) == len(specs) == 1:
        named = {specs[0].name: inputs[0]}
    missing = next((spec.name for spec in specs if spec.name not in named), None)
    if missing is not None:
        raise MissingFeature(missing)
    return {spec.name: _parse(spec, named[spec.name]) for spec in specs}


def _parse(spec: TensorSpec, tensor: InputTensor) -> NDArray[Any]:
    fits = len(tensor.shape) == len(spec.shape) and all(
        wanted in {None, found} for wanted, found in zip(spec.shape, tensor.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if one is None else str(one) for one in spec.shape)
        raise WrongShape(tensor.name, f"the shape [{wanted}]", [*tensor.shape])
    values = flatten_tensor(tensor)
    is_text = spec.datatype == "BYTES"
    expected = "string" if is_text else "bool" if spec.datatype == "BOOL" else "number"
    allowed = {"string": str, "bool": bool, "number": (int, float)}[expected]
    wrong = next((value for value in values if not isinstance(value, allowed)), None)  # type: ignore[arg-type]
    if wrong is not None or None in values:
        raise WrongType(spec.name, expected, type(wrong).__name__)
    dtype = np.dtype(DTYPES[spec.datatype])
    if dtype.kind in "iuf":
        _check_numbers(spec.name, dtype, values)
    return np.array(values, dtype=dtype).reshape(tensor.shape)


def _check_numbers(name: str, dtype: np.dtype[Any], values: Sequence[Any]) -> None:
    """Raise if a number cannot be converted to a type without losing more than rounding."""
    for value in values:
        if isinstance(value, float) and not np.isfinite(value):
            raise NotFinite(name)
        if dtype.kind != "f" and value != int(value):
            raise WrongType(name, dtype.name, "a number with a fraction")
    low, high = _limits(dtype)
    if values and not (low <= min(values) and max(values) <= high):
        raise OutOfRange(name, dtype.name)


def _limits(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Return the least and the greatest number of a type, exactly.

    An integer stays one: as a float, the greatest int64 would be 2**63, which does not fit.
    """
    if dtype.kind == "f":
        limits = np.finfo(dtype)
        return float(limits.min), float(limits.max)
    integers = np.iinfo(dtype)
    return int(integers.min), int(integers.max)
