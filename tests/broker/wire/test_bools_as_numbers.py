"""True and false are no numbers in JSON: a contract takes them only where it names a bool."""

import pytest
from pydantic import ValidationError

from modstream.broker.wire.contracts import Feedback, Label, Prediction, Request, SourcePosition

SOURCE = {"topic": "t", "partition": 0, "offset": 0}
LABEL = {"id": "a", "label": 1, "event_time": 1, "revision": 1, "row": 1}
REQUEST = {"id": "a", "features": {"x": 1}, "version": 1, "event_time": 1}
PREDICTION = {
    "id": "a",
    "model": "m",
    "version": 1,
    "outputs": {"value": 1.0},
    "event_time": 1,
    "source": SOURCE,
}
FEEDBACK = {
    "id": "a",
    "row": 1,
    "label": 1,
    "predictions": [],
    "event_time": 1,
    "label_time": 1,
}


@pytest.mark.parametrize(
    ("contract", "message", "field"),
    [
        *((Label, LABEL, field) for field in ("event_time", "revision", "row")),
        *((Request, REQUEST, field) for field in ("event_time", "version")),
        *((Prediction, PREDICTION, field) for field in ("event_time", "version")),
        *((Feedback, FEEDBACK, field) for field in ("event_time", "label_time", "row")),
        *((SourcePosition, SOURCE, field) for field in ("partition", "offset")),
    ],
)
def test_a_bool_is_not_a_number(contract, message, field):
    contract.model_validate(message)

    with pytest.raises(ValidationError, match="not true or false"):
        contract.model_validate({**message, field: True})
