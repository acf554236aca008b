"""Records of the sources of features."""

import json

from modstream.broker.wire.codec import KIND_PREDICTION
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header
from tests.processors.aggregate.feature_log import TOPICS


def request(offset, airport="A", time=0, partition=0, **headers):
    """Return the prediction of a request."""
    value = json.dumps({"id": f"r{offset}", "features": {"airport": airport}, "event_time": time})
    kind = ((Header.KIND, headers.get("kind", KIND_PREDICTION)),)
    return Record(TOPICS.predictions, partition, offset, b"k", value.encode(), kind, time)


def label(offset, value, time=0, **fields):
    """Return the feedback of a label."""
    message = {
        "id": f"r{offset}",
        "label": value,
        "event_time": 0,
        "label_time": time,
        "features": {"airport": "A"},
        "predictions": [],
        **fields,
    }
    return Record(TOPICS.feedback, 0, offset, b"k", json.dumps(message).encode(), (), time)
