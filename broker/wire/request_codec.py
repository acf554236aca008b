"""Requests whose head was read by `fast_codec`: the rest of their decoding, without a second pass.

The result and every error equal those of `codec.decode_request` on the whole record.
"""

import json
from typing import Any

from msgspec import Raw
from pydantic import TypeAdapter, ValidationError

from modstream.broker.wire.codec import translate_request_errors
from modstream.broker.wire.contracts import Request, Tensor
from modstream.broker.wire.fast_codec import ABSENT, RequestHead
from modstream.broker.wire.features import FeatureRow
from modstream.broker.wire.tensor_binary import with_tensor_data

FEATURES_ADAPTER: TypeAdapter[FeatureRow | tuple[FeatureRow, ...] | None] = TypeAdapter(
    FeatureRow | tuple[FeatureRow, ...] | None
)
INPUTS_ADAPTER: TypeAdapter[tuple[Tensor, ...] | None] = TypeAdapter(tuple[Tensor, ...] | None)


def decode_head(head: RequestHead, tail: bytes | None, document: bytes) -> Request:
    """Decode a request from its head.

    Args:
        head: the request's head; its features and inputs are still JSON.
        tail: the raw tensor bytes behind the JSON, or None.
        document: the JSON that the head was read from, for error messages.

    Raises:
        NotJson: the features or inputs are not JSON.
        ContractViolated: the request breaks the contract.
    """
    with translate_request_errors(document):
        if tail is not None:
            return Request.model_validate(with_tensor_data(_plain(head), tail))
        return Request(
            id=head.id,
            features=_read(FEATURES_ADAPTER, head.features, "features"),
            inputs=_read(INPUTS_ADAPTER, head.inputs, "inputs"),
            model=head.model,
            version=head.version,
            event_time=head.event_time,
        )


def _plain(head: RequestHead) -> dict[str, Any]:
    """Return the request as a plain mapping; absent fields are left out."""
    fields = {"features": head.features, "inputs": head.inputs}
    parsed = {name: json.loads(bytes(raw)) for name, raw in fields.items() if raw is not ABSENT}
    others = {"model": head.model, "version": head.version, "event_time": head.event_time}
    return {"id": head.id, **parsed, **others}


def _read(adapter: TypeAdapter[Any], raw: Raw, field: str) -> Any:  # noqa: ANN401 - as the adapter says
    """Validate one field of the document; an error's location begins with the field."""
    if raw is ABSENT:
        return None
    try:
        return adapter.validate_json(bytes(raw))
    except ValidationError as error:
        if error.errors(include_url=False)[0]["type"] == "json_invalid":
            raise
        raise ValidationError.from_exception_data(
            "Request",
            [
                {**detail, "loc": (field, *detail["loc"])}  # type: ignore[typeddict-unknown-key]
                for detail in error.errors(include_url=False)
            ],
            input_type="json",
        ) from None
