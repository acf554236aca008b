"""A prediction as a store keeps it: what was predicted for a key, by which version, and when."""

import json
from time import time
from typing import Any

import msgspec
from msgspec import Raw, Struct

NO_FEATURES = Raw(b"null")


class StoredPrediction(Struct, frozen=True, gc=False):
    """The newest prediction of one model for one key.

    `outputs_json` and `features_json` are JSON; the features are None if they were not recorded.
    Times are in ms since the epoch: `event_time` is the request's, `created` that of the record in
    the predictions topic, by the broker's clock. `position` is the place of that record, as
    `topic:partition:offset`.
    """

    model: str
    key: str
    version: int
    outputs_json: bytes
    id: str
    created: int
    position: str
    event_time: int | None = None
    features_json: bytes | None = None

    @property
    def outputs(self) -> Any:  # noqa: ANN401 - values by name, rows of them, or tensors
        """The outputs, decoded."""
        return json.loads(self.outputs_json)

    @property
    def features(self) -> Any:  # noqa: ANN401 - a row, rows, or compact rows
        """The features, decoded; None if they were not recorded."""
        return None if self.features_json is None else json.loads(self.features_json)

    def age_seconds(self, now: float | None = None) -> float:
        """Return the seconds since the prediction was made, at `now` (s since the epoch)."""
        return max(0.0, (time() if now is None else now) - self.created / 1000)


class _Document(Struct, frozen=True, gc=False, omit_defaults=True):
    """The JSON document of a prediction; model and key are not in it."""

    version: int
    outputs: Raw
    id: str
    created: int
    position: str
    event_time: int | None = None
    features: Raw = NO_FEATURES


_decode = msgspec.json.Decoder(_Document).decode
_encode = msgspec.json.Encoder().encode


def to_document(prediction: StoredPrediction) -> bytes:
    """Return a prediction as a JSON document, without its model and key."""
    features = prediction.features_json
    return _encode(
        _Document(
            prediction.version,
            Raw(prediction.outputs_json),
            prediction.id,
            prediction.created,
            prediction.position,
            prediction.event_time,
            NO_FEATURES if features is None else Raw(features),
        )
    )


def from_document(model: str, key: str, document: bytes) -> StoredPrediction:
    """Return the prediction of a document that `to_document` has written."""
    try:
        found = _decode(document)
    except msgspec.MsgspecError:
        return _from_lenient(model, key, json.loads(document))
    return StoredPrediction(
        model,
        key,
        found.version,
        bytes(found.outputs),
        found.id,
        found.created,
        found.position,
        found.event_time,
        None if found.features == NO_FEATURES else bytes(found.features),
    )


def _from_lenient(model: str, key: str, document: dict[str, Any]) -> StoredPrediction:
    """Return the prediction of a document with NaN or Infinity, which are no JSON numbers."""
    features = document.get("features")
    return StoredPrediction(
        model,
        key,
        document["version"],
        json.dumps(document["outputs"]).encode(),
        document["id"],
        document["created"],
        document["position"],
        document.get("event_time"),
        None if features is None else json.dumps(features).encode(),
    )
