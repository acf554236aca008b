"""Features and outputs in the inference log: of which requests, and with which fields redacted."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import msgspec
from msgspec import Raw, Struct

from modstream.broker.wire.fast_codec import ABSENT, json_document
from modstream.broker.wire.features import expand_rows
from modstream.broker.wire.inference_record import REDACTED
from modstream.processors.predict.log_settings import InferenceLogSettings


class PredictedValues(Struct, frozen=True, gc=False):
    """The outputs and the features of an encoded prediction, still as JSON."""

    outputs: Raw
    features: Raw = ABSENT
    features_omitted: str | None = None


_decode_values = msgspec.json.Decoder(PredictedValues).decode


def read_values(prediction: bytes) -> PredictedValues:
    """Return the features and outputs of an encoded prediction; NaN becomes null."""
    try:
        return _decode_values(prediction)
    except msgspec.DecodeError:
        document = json.loads(prediction, parse_constant=lambda _: None)
        features = document.get("features")
        return PredictedValues(
            Raw(json_document(document["outputs"])),
            ABSENT if features is None else Raw(json_document(features)),
            document.get("features_omitted"),
        )


@dataclass(frozen=True, slots=True)
class ValueSelection:
    """Selects the requests whose features and outputs are logged, and redacts their fields."""

    settings: InferenceLogSettings

    @property
    def is_empty(self) -> bool:
        """Whether the settings let no features or outputs be logged."""
        settings = self.settings
        return not settings.sample or not (settings.features or settings.outputs)

    def includes(self, request_id: str | None) -> bool:
        """Return whether the values of a request are logged, which depends on its id only."""
        if request_id is None:
            return False
        return crc32(request_id.encode()) < self.settings.sample * 2**32

    def features(self, values: PredictedValues, redacted: Collection[str]) -> bytes | None:
        """Return the features of a prediction as JSON, with some of them redacted."""
        if not self.settings.features or not bytes(values.features):
            return None
        if not redacted:
            return bytes(values.features)
        rows = expand_rows(msgspec.json.decode(values.features))
        return json_document(_redact_rows(rows, redacted))

    def outputs(self, values: PredictedValues, redacted: Collection[str]) -> bytes | None:
        """Return the outputs of a prediction as JSON, with some of them redacted."""
        if not self.settings.outputs:
            return None
        if not redacted:
            return bytes(values.outputs)
        return json_document(_redact_rows(msgspec.json.decode(values.outputs), redacted))


def _redact_rows(rows: Any, names: Collection[str]) -> Any:  # noqa: ANN401 - decoded JSON
    """Return a row, rows, or tensors without the values of some names."""
    if isinstance(rows, dict):
        return _redact(rows, names)
    return [_redact(row, names) for row in rows]


def _redact(row: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    if "datatype" in row and "shape" in row and str(row.get("name")) in names:
        return {**row, "shape": [0], "data": []}
    return {name: REDACTED if name in names else value for name, value in row.items()}
