"""Every contract accepts the model names that the registry accepts, in both codecs."""

from typing import get_args

import pytest

from modstream.broker.errors import ContractViolated
from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import (
    Feedback,
    JoinedPrediction,
    Prediction,
    Quarantined,
    Request,
    SourcePosition,
)
from modstream.broker.wire.fast_codec import HeadDecoder
from modstream.broker.wire.feedback_codec import FeedbackDecoder, FeedbackStruct
from modstream.broker.wire.identifiers import MODEL_NAME_PATTERN
from modstream.broker.wire.model_contracts import Metrics, ModelEvent, VersionMarker
from modstream.models.schema.card import ModelName as RegistryModelName

NAME = "my.model"
HERE = SourcePosition(topic="s.requests", partition=0, offset=1)


def test_the_registry_and_the_contracts_have_the_same_pattern():
    (constraint,) = [one for one in get_args(RegistryModelName) if hasattr(one, "pattern")]

    assert constraint.pattern == MODEL_NAME_PATTERN


@pytest.mark.parametrize(
    ("contract", "fields"),
    [
        (Request, {"id": "a", "features": {"x": 1.0}}),
        (Prediction, {"id": "a", "version": 1, "outputs": {}, "source": HERE}),
        (Quarantined, {"id": "a", "rule": "not_finite", "detail": "", "source": HERE}),
        (VersionMarker, {"ref": 1, "version": 1, "sha256": "a" * 64, "source": HERE}),
        (Metrics, {"kind": "learner", "values": {}}),
        (ModelEvent, {"version": 1, "action": "publish", "at": 1}),
    ],
)
def test_the_slow_codec_accepts_a_name_with_a_dot(contract, fields):
    message = contract(model=NAME, **fields)

    assert decode(contract, encode(message)) == message


def test_both_codecs_accept_feedback_on_a_name_with_a_dot():
    prediction = JoinedPrediction(model=NAME, version=1, outputs={"probability": 0.5})
    feedback = Feedback(id="a", label=1, predictions=(prediction,), event_time=1, label_time=2)
    value = encode(feedback)

    fast = FeedbackDecoder().decode(value)

    assert decode(Feedback, value) == feedback
    assert isinstance(fast, FeedbackStruct)
    assert fast.predictions[0].model == NAME


def test_the_fast_codec_accepts_a_request_to_a_name_with_a_dot():
    (head,) = HeadDecoder().decode([b'{"id":"a","features":{"x":1},"model":"my.model"}'])

    assert head.model == NAME


@pytest.mark.parametrize("name", ["", ".m", "m\n", "a b", "a/b", "m" * 101])
def test_both_codecs_reject_an_invalid_name(name):
    prediction = JoinedPrediction.model_construct(model=name, version=1, outputs={})
    feedback = Feedback.model_construct(
        id="a", label=1, predictions=(prediction,), event_time=1, label_time=2, schema_version=1
    )

    with pytest.raises(ContractViolated):
        FeedbackDecoder().decode(encode(feedback))
