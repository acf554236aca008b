"""Conformal sets and intervals in answers by name, encoded column by column."""

from collections.abc import Sequence

import numpy as np

from modstream.broker.wire.fast_codec import json_document, json_numbers
from modstream.broker.wire.features import JsonScalar
from modstream.models.evaluation.served_sets import OUTPUT_NAME, ServedThreshold
from modstream.models.evaluation.version_classes import VersionLabels
from modstream.models.runtimes.runtime import Outputs
from modstream.processors.predict.outputs import JsonColumns


def add_columns(
    columns: JsonColumns, version: VersionLabels, scores: Outputs, threshold: ServedThreshold
) -> JsonColumns:
    """Return the JSON columns of outputs by name with the output `conformal`.

    Args:
        columns: the outputs of each row as `row_columns` makes them; the last part is constant.
        version: the task and classes of the version that predicted.
        scores: its outputs, (n,) or (n, k) for k classes.
        threshold: the threshold of the model.
    """
    scores = np.asarray(scores, np.float64)
    closing = columns[-1]
    if not isinstance(closing, bytes):
        raise TypeError("the last part of the columns is not constant")
    parts: JsonColumns
    if version.task == "regression":
        parts = _intervals(scores, threshold)
    else:
        if version.task == "binary":
            scores = np.stack([1 - scores, scores], axis=1)
        parts = (b'"set":', _sets(scores, version.classes.classes, threshold))
    said = json_document(threshold.coverage), threshold.labels
    return (
        *columns[:-1],
        closing[:-1] + b',"%b":{' % OUTPUT_NAME.encode(),
        *parts,
        b',"coverage":%b,"labels":%d}}' % said,
    )


def _sets(
    probabilities: Outputs, classes: Sequence[JsonScalar], threshold: ServedThreshold
) -> list[bytes]:
    """Return the set of each row as JSON; each distinct set is written once."""
    count = probabilities.shape[1]
    packed = np.packbits(1 - probabilities <= threshold.value, axis=1)
    width = packed.shape[1]
    joined = packed.tobytes()
    keys = [joined[at : at + width] for at in range(0, len(joined), width)]
    names = list(map(json_document, classes))
    written = {key: b"[%b]" % b",".join(_members(key, count, names)) for key in set(keys)}
    return list(map(written.__getitem__, keys))


def _members(key: bytes, count: int, names: Sequence[bytes]) -> list[bytes]:
    bits = np.unpackbits(np.frombuffer(key, np.uint8), count=count)
    return [names[index] for index in np.flatnonzero(bits).tolist()]


def _intervals(values: Outputs, threshold: ServedThreshold) -> JsonColumns:
    if threshold.value < 0:
        return (b'"interval":[]',)
    low, high = values - threshold.value, values + threshold.value
    # An end that is not finite is written as null.
    return (b'"interval":[', json_numbers(low.tolist()), b",", json_numbers(high.tolist()), b"]")
