"""Requests whose head was read by `fast_codec`: the rest of their decoding, without a second pass.

The result and every error equal those of `codec.decode_request` on the whole record.
"""

import json
from typing import Any

from msgspec import Raw
from pydantic import TypeAdapter, ValidationError

from modstream.broker.wire.codec import contract_error, translate_request_errors
from modstream.broker.wire.contracts import FeatureRows, InputTensors, Request
from modstream.broker.wire.fast_codec import ABSENT, RequestHead
from modstream.broker.wire.features import FeatureRow
from modstream.broker.wire.tensor_binary import with_tensor_data

FEATURES_ADAPTER: TypeAdapter[FeatureRow | FeatureRows | None] = TypeAdapter(
    FeatureRow | FeatureRows | None
)
INPUTS_ADAPTER: TypeAdapter[InputTensors | None] = TypeAdapter(InputTensors | None)


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
            features=_read(FEATURES_ADAPTER, head.features, "features", document),
            inputs=_read(INPUTS_ADAPTER, head.inputs, "inputs", document),
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


def _read(adapter: TypeAdapter[Any], raw: Raw, field: str, document: bytes) -> Any:  # noqa: ANN401 - as the adapter says
    """Validate one field of the document."""
    if raw is ABSENT:
        return None
    try:
        return adapter.validate_json(bytes(raw))
    except ValidationError as error:
        raise contract_error(Request, error, document, (field,)) from None
