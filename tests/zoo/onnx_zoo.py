"""Takes every graph of `onnx_graphs` from its bytes to answers, and compares them with its own run.

By default they are loaded and asked in this process, without Kafka.
"""

import math
from typing import Any

import numpy as np

from modstream.broker.wire.contracts import Request, Tensor
from modstream.models.errors import ModelError
from modstream.models.importers.imported_model import ImportedModel
from modstream.models.importers.onnx.importer import import_onnx
from modstream.models.trial.comparison import largest_difference
from modstream.processors.predict.engine import InferenceResponse, Rejection
from modstream.processors.predict.tensor_requests import DATATYPES
from tests.zoo.engine import (
    Serve,
    load_imported,
    row_requests,
    rows_request,
    tensor_request,
)
from tests.zoo.onnx_cases import OnnxCase
from tests.zoo.onnx_graphs import all_cases
from tests.zoo.results import ZooResult

TOLERANCE = 1e-5
CASES = {case.name: case for case in all_cases()}


def import_case(case: OnnxCase) -> ImportedModel:
    """Import the graph of a case.

    Raises:
        ModelError: it is refused.
    """
    return import_onnx("zoo", case.model.SerializeToString(), description=case.description)


def requests_of(case: OnnxCase) -> list[Request]:
    """Return what a case is asked: its tensors, or its rows, first alone and then together."""
    if case.tensors:
        return [tensor_request(*(_tensor(name, array) for name, array in case.tensors.items()))]
    return [*row_requests(case.rows), rows_request(case.rows)]


def run_case(case: OnnxCase, serve: Serve = load_imported) -> ZooResult:
    """Import a graph, serve and ask it, and compare with the graph's own run."""
    try:
        served = serve(import_case(case))
    except ModelError as error:
        return ZooResult("onnx", case.name, "refused", sentence=str(error))
    return judge(case, served.ask(requests_of(case)))


def judge(case: OnnxCase, responses: list[InferenceResponse]) -> ZooResult:
    """Compare the responses to a case's requests with the graph's own outputs."""
    rejected = [str(one.reason) for one in responses if isinstance(one, Rejection)]
    if rejected:
        return ZooResult("onnx", case.name, "not serving", sentence=rejected[0])
    difference = difference_of(case, [one.outputs for one in responses])
    outcome = "served" if difference <= TOLERANCE else "wrong"
    return ZooResult("onnx", case.name, outcome, difference)


def difference_of(case: OnnxCase, outputs: list[Any]) -> float:
    """Return the largest difference of the outputs of `requests_of` from the graph's own."""
    original = case.original_outputs()
    if case.answers is not None:
        expected = case.answers(original)
        *single, together = outputs
        return max(
            largest_difference(expected, single), largest_difference(expected, list(together))
        )
    found = {one.name: one for one in outputs[0]}
    wanted = {name: _tensor(name, array) for name, array in original.items()}
    forms = [{n: (t.shape, t.datatype) for n, t in one.items()} for one in (found, wanted)]
    if forms[0] != forms[1]:
        return math.inf
    return max(largest_difference(wanted[name].data, found[name].data) for name in wanted)


def _tensor(name: str, array: Any) -> Tensor:
    datatype = "BYTES" if array.dtype.kind == "O" else DATATYPES[array.dtype.name]
    return Tensor(name=name, shape=array.shape, datatype=datatype, data=np.ravel(array).tolist())
