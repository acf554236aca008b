"""The result of an event with records, within what Lambda takes of a result."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from modstream.serverless.answers import Answer
from modstream.serverless.batch_events import BatchItem
from modstream.serverless.http_events import MAX_RESPONSE_BYTES


def as_result(
    failed: dict[str, Any], answered: Sequence[tuple[BatchItem, Answer]]
) -> dict[str, Any]:
    """Return the failures, and the answers below `responses`.

    A result that Lambda refuses would let it deliver all records again, and again. So answers that
    are too many for it are left out, and `responses_omitted` says how many.
    """
    if not answered:
        return failed
    responses = [
        {"itemIdentifier": item.identifier, **answer.document()} for item, answer in answered
    ]
    result = {**failed, "responses": responses}
    if len(json.dumps(result)) <= MAX_RESPONSE_BYTES:
        return result
    return {**failed, "responses_omitted": len(responses)}


def direct_request(event: Mapping[str, Any]) -> bytes:
    """Return an event that is a request itself as the JSON that it was."""
    return json.dumps(event).encode(errors="replace")
