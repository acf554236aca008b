"""Conformal sets and intervals in answers by name; answers as tensors have none."""

from collections.abc import Mapping
from typing import Any

from modstream.models.evaluation.served_sets import OUTPUT_NAME, ServedThreshold, make_output
from modstream.models.evaluation.version_classes import VersionLabels
from modstream.processors.predict.engine import Inference


def with_conformal(found: Inference, threshold: ServedThreshold | None) -> Inference:
    """Return an inference whose rows by name have the output `conformal`, if given a threshold."""
    if threshold is None:
        return found
    version = VersionLabels.of(found.card)
    outputs = found.outputs
    if isinstance(outputs, Mapping):
        return found._replace(outputs=_with_output(version, outputs, threshold))
    if found.request.inputs is not None:
        return found
    rows = tuple(
        _with_output(version, row, threshold) if isinstance(row, dict) else row for row in outputs
    )
    return found._replace(outputs=rows)  # type: ignore[arg-type]


def _with_output(
    version: VersionLabels, outputs: Mapping[str, Any], threshold: ServedThreshold
) -> dict[str, Any]:
    made = make_output(version, outputs, threshold)
    return dict(outputs) if made is None else {**outputs, OUTPUT_NAME: made}
