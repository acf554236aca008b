"""Requests to models that take tensors of any rank: images, sequences, several inputs."""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from modstream.broker.wire.contracts import Request, Tensor
from modstream.models.errors import InputError, PredictError
from modstream.models.runtimes.runtime import TensorRuntime
from modstream.models.schema.tensor_inputs import DTYPES, parse_input_tensors
from modstream.models.schema.tensors import InputTensor
from modstream.processors.errors import InvalidInput, NoOutput, Refusal, TensorsExpected
from modstream.processors.predict.model_resolver import ServableModel

DATATYPES = {dtype: datatype for datatype, dtype in DTYPES.items()}


def predict_tensors(model: ServableModel, request: Request) -> tuple[Tensor, ...] | Refusal:
    """Return the output tensors for one request, or the reason why there are none."""
    card = model.card
    if request.inputs is None:
        return TensorsExpected(card.name, [spec.name for spec in card.input_tensors])
    try:
        inputs = [
            InputTensor(one.name, one.shape, one.datatype, one.data) for one in request.inputs
        ]
        arrays = parse_input_tensors(card.input_tensors, inputs)
        outputs = cast(TensorRuntime, model.runtime).predict_tensors(arrays)
    except InputError as error:
        return InvalidInput(error)
    except PredictError as error:
        return NoOutput(card.name, card.version, str(error))
    if not all(map(_is_finite, outputs.values())):
        return NoOutput(card.name, card.version, "the output is not finite")
    return tuple(_to_tensor(name, array) for name, array in outputs.items())


def _is_finite(array: NDArray[Any]) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def _to_tensor(name: str, array: NDArray[Any]) -> Tensor:
    datatype: Any = "BYTES" if array.dtype.kind in "OUS" else DATATYPES[array.dtype.name]
    return Tensor(name=name, shape=array.shape, datatype=datatype, data=array.ravel().tolist())
