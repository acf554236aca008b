"""The tensors of a call as arrays, for clients that take and give arrays."""

import numpy as np

TYPES = {
    "BOOL": np.bool_,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
    "BYTES": np.object_,
}


def array_of(tensor):
    """Return the values of a tensor as its client takes them."""
    values, kind = tensor["data"], TYPES.get(tensor["datatype"])
    if tensor["datatype"] == "BYTES":
        values = [value.encode() for value in values]
    if tensor["datatype"] == "BF16":
        kind = bfloat16()
    return np.array(values, kind).reshape(tensor["shape"])


def bfloat16():
    """Return the type of BF16, which numpy itself does not have, or that of FP32 without one."""
    try:
        from ml_dtypes import bfloat16 as kind  # noqa: PLC0415 - not every client has it
    except ImportError:
        return np.float32
    return kind


def output_of(name, datatype, array):
    """Return an output as a result has it."""
    values = np.asarray(array).ravel().tolist()
    if datatype == "BYTES":
        values = [value.decode() if isinstance(value, bytes) else value for value in values]
    return {
        "name": name,
        "datatype": datatype,
        "shape": list(np.shape(array)),
        "data": values,
    }
