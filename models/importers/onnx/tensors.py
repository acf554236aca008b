"""The output tensors of an ONNX graph that takes tensors."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modstream.models.errors import PredictError, PredictTimedOut
from modstream.models.importers.onnx.graph import OnnxGraph, Value
from modstream.models.importers.onnx.inputs import DATATYPES, tensor_spec
from modstream.models.runtimes.onnx_session import OnnxSession
from modstream.models.schema.card import TensorSpec
from modstream.models.schema.tensor_inputs import DTYPES


def read_output_tensors(graph: OnnxGraph, session: OnnxSession) -> tuple[TensorSpec, ...]:
    """Return the outputs of a graph that takes tensors; one run tells a rank that is not declared.

    Raises:
        MeaningUnknown: the rank of an output is neither declared nor could it be measured.
        PredictTimedOut: the run takes too long.
    """
    if all(value.shape is not None for value in graph.outputs):
        return tuple(tensor_spec(value) for value in graph.outputs)
    ranks = _measured_ranks(graph, session)
    return tuple(
        tensor_spec(
            value
            if value.shape is not None or value.name not in ranks
            else value._replace(shape=(None,) * ranks[value.name])
        )
        for value in graph.outputs
    )


def _measured_ranks(graph: OnnxGraph, session: OnnxSession) -> dict[str, int]:
    names = [value.name for value in graph.outputs]
    try:
        found = session.run(names, {value.name: _zeros(value) for value in graph.inputs})
    except PredictTimedOut:
        raise
    except PredictError:
        return {}
    return {name: tensor.ndim for name, tensor in zip(names, found, strict=True)}


def _zeros(value: Value) -> NDArray[Any]:
    shape = [1 if length is None else length for length in value.shape or ()]
    datatype = DATATYPES[value.elem_type]
    return np.full(shape, "" if datatype == "BYTES" else 0, dtype=DTYPES[datatype])
