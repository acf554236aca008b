"""What REST and gRPC check of an input: its name, datatype, shape, and number of raw bytes."""

from collections.abc import Sequence
from math import prod

from modstream.broker.wire.bounds import (
    MAX_DIMENSION,
    MAX_ELEMENTS,
    MAX_NAME_LENGTH,
    MAX_RANK,
    MAX_TENSORS,
)
from modstream.broker.wire.tensor_binary import ITEM_SIZES
from modstream.producers.gateway.protocol.call_parameters import shown
from modstream.producers.gateway.protocol.errors import ProtocolError

LENGTH_BYTES = 4
"""Bytes of the length before each string."""


def count_values(place: str, name: str, datatype: str, shape: Sequence[int]) -> int:
    """Return the number of values that a tensor has by its shape.

    Args:
        place: the tensor's place in the call, for errors.
        name: its name.
        datatype: its datatype.
        shape: its shape.

    Raises:
        ProtocolError: the name, the datatype or the shape is not allowed.
    """
    if len(name) > MAX_NAME_LENGTH:
        raise ProtocolError(400, f"{place}.name: has more than {MAX_NAME_LENGTH} characters")
    if datatype not in ITEM_SIZES and datatype != "BYTES":
        known = ", ".join((*ITEM_SIZES, "BYTES"))
        raise ProtocolError(
            400, f"{place}.datatype: {shown(datatype)} is unknown; it must be one of {known}"
        )
    if len(shape) > MAX_RANK:
        raise ProtocolError(400, f"{place}.shape: has more than {MAX_RANK} dimensions")
    for dimension in shape:
        if not 0 <= dimension <= MAX_DIMENSION:
            raise ProtocolError(
                400, f"{place}.shape: {dimension} is not a dimension from 0 to {MAX_DIMENSION}"
            )
    count = prod(shape)
    if count > MAX_ELEMENTS:
        raise ProtocolError(400, f"{place}.shape: means more than {MAX_ELEMENTS:,} values")
    return count


def check_raw_size(place: str, datatype: str, count: int, size: int) -> None:
    """Raise if a tensor of so many values cannot have so many raw bytes.

    Raises:
        ProtocolError: it cannot.
    """
    if datatype == "BYTES":
        if size < LENGTH_BYTES * count or (size and not count):
            raise ProtocolError(
                400,
                f"{place}: has {size} raw bytes, but {count} strings with their lengths of "
                f"{LENGTH_BYTES} bytes have {f'at least {LENGTH_BYTES * count}' if count else '0'}",
            )
        return
    expected = ITEM_SIZES[datatype] * count
    if size != expected:
        raise ProtocolError(
            400,
            f"{place}: has {size} raw bytes, but {count} values of {datatype} have {expected}",
        )


def check_number_of_inputs(count: int) -> None:
    """Raise if a call has no inputs, or too many.

    Raises:
        ProtocolError: it has.
    """
    if not count:
        raise ProtocolError(400, "inputs: is empty; a call has at least one input")
    if count > MAX_TENSORS:
        raise ProtocolError(400, f"inputs: has more than {MAX_TENSORS} tensors")
