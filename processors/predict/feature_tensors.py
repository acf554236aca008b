"""Requests of tensors with the features of the stream: a tensor by name is a column of rows."""

from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

from modstream.broker.wire.contracts import Request, Tensor
from modstream.models.errors import InputError
from modstream.models.schema.tensors import InputTensor, flatten_tensor

EMPTY: Sequence[Mapping[str, Any]] = ()


def rows_of_tensors(inputs: Sequence[Tensor]) -> Sequence[Mapping[str, Any]]:
    """Return the rows of tensors that are columns, of shape [n] or [n, 1]; else no row."""
    size = inputs[0].shape[:1]
    if not size or any(one.shape not in (size, (*size, 1)) for one in inputs):
        return EMPTY
    try:
        columns = {
            one.name: flatten_tensor(InputTensor(one.name, one.shape, one.datatype, one.data))
            for one in inputs
        }
    except InputError:
        return EMPTY
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def with_tensors(request: Request, added: Sequence[Mapping[str, float | None]]) -> Request:
    """Return a request with a tensor for each feature that it does not have itself.

    A missing value is NaN, as tensors have it.
    """
    inputs = request.inputs or ()
    own = {one.name for one in inputs}
    made = [
        Tensor(
            name=name,
            shape=inputs[0].shape,
            datatype="FP64",
            data=[nan if row[name] is None else row[name] for row in added],
        )
        for name in added[0]
        if name not in own
    ]
    return request.model_copy(update={"inputs": (*inputs, *made)})
