"""The predictions of one model by row: what it predicted first for each row of each request."""

from dataclasses import dataclass

import numpy as np

from modstream.audit.columns import BoolArray
from modstream.audit.stream_audit import StreamAudit
from modstream.audit.tables import UNKNOWN_ID, ResponseColumns
from modstream.audit.values import ValueArray
from modstream.models.evaluation.arrays import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Predictions:
    """The first predictions of one model, each of shape (n,).

    `keys` are the rows' numbers in `StreamAudit.ids`, `requests` the rows of their requests.
    """

    keys: IntArray
    requests: IntArray
    version: IntArray
    value: FloatArray
    predicted: ValueArray
    confidence: FloatArray


def first_predictions(audit: StreamAudit, responses: ResponseColumns) -> Predictions:
    """Return the first prediction of each row of a request, the further rows last."""
    size = len(audit.requests.rows)
    ids = audit.requests.id_row.int_array(size)
    rows = np.flatnonzero((responses.predictions.int_array(size) > 0) & (ids != UNKNOWN_ID))
    keys, first = np.unique(ids[rows], return_index=True)
    found = Predictions(
        keys,
        rows[first],
        responses.version.int_array(size)[rows[first]],
        responses.value.float_array(size)[rows[first]],
        responses.predicted.array(size).take(rows[first]),
        responses.confidence.float_array(size)[rows[first]],
    )
    return _with_further_rows(audit, responses, found)


def _with_further_rows(
    audit: StreamAudit, responses: ResponseColumns, found: Predictions
) -> Predictions:
    further, size = responses.further_rows, len(audit.ids)
    keys = np.fromiter(further.rows, np.int64, len(further.rows))
    if not len(keys):
        return found
    predicted = further.predicted.array(size).take(keys)
    return Predictions(
        np.concatenate([found.keys, keys]),
        np.concatenate([found.requests, further.request.int_array(size)[keys]]),
        np.concatenate([found.version, further.version.int_array(size)[keys]]),
        np.concatenate([found.value, further.value.float_array(size)[keys]]),
        ValueArray(
            np.concatenate([found.predicted.numbers, predicted.numbers]),
            np.concatenate([found.predicted.codes, predicted.codes]),
            predicted.values,
        ),
        np.concatenate([found.confidence, further.confidence.float_array(size)[keys]]),
    )


def has_prediction(audit: StreamAudit) -> BoolArray:
    """Return which rows have a prediction of any model, by their number in `StreamAudit.ids`."""
    found = np.zeros(len(audit.ids), dtype=np.bool_)
    for responses in audit.responses.values():
        found[first_predictions(audit, responses).keys] = True
    return found
