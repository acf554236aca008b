"""Decodes feedback for the learner like `codec.decode`, in a fifth of the time.

The contract remains the definition: `codec.decode` reads every value that is decoded here alike.
Unusual values, such as numbers that are not finite, are left to `codec.decode`.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, MsgspecError, Struct
from msgspec.json import Decoder

from modstream.broker.wire.bounds import (
    MAX_PREDICTIONS,
    EventTime,
    KnownVersion,
    LabelValue,
    check_outputs,
)
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.broker.wire.features import FeatureRow
from modstream.broker.wire.identifiers import ModelName, RequestId, RowNumber


class JoinedPredictionStruct(Struct, frozen=True, gc=False):
    """A `JoinedPrediction` as a msgspec struct."""

    model: ModelName
    version: KnownVersion
    outputs: dict[str, Any]


class FeedbackStruct(Struct, frozen=True, gc=False):
    """A `Feedback` as a msgspec struct."""

    id: RequestId
    label: LabelValue
    predictions: Annotated[tuple[JoinedPredictionStruct, ...], Meta(max_length=MAX_PREDICTIONS)]
    event_time: EventTime
    label_time: EventTime
    row: RowNumber | None = None
    features: FeatureRow | None = None
    revises: LabelValue | None = None
    schema_version: Literal[1] = 1


AnyFeedback = Feedback | FeedbackStruct
"""Feedback, decoded by either codec."""
AnyJoinedPrediction = JoinedPrediction | JoinedPredictionStruct
"""A prediction within feedback, decoded by either codec."""


class FeedbackDecoder:
    """Decodes feedback records."""

    def __init__(self) -> None:
        self._decode = Decoder(FeedbackStruct).decode

    def decode(self, value: bytes | None) -> AnyFeedback:
        """Decode one record's value.

        Raises:
            DecodeError: the value is not feedback; the same errors as `codec.decode`.
        """
        try:
            feedback = self._decode(value or b"")
            for prediction in feedback.predictions:
                check_outputs(prediction.outputs)
            return feedback
        except (MsgspecError, ValueError, RecursionError):
            return decode(Feedback, value)
