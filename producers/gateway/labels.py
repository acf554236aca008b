"""Labels as callers send them: the true value of a request, once it is known."""

from typing import Any

import msgspec
from pydantic import ValidationError

from modstream.broker.wire.contract_errors import describe
from modstream.broker.wire.contracts import Label
from modstream.broker.wire.identifiers import MAX_ID_LENGTH
from modstream.producers.gateway.errors import InvalidCall

MAX_LABELS = 10_000
"""Maximum number of labels of one call."""


def read_labels(body: bytes, now: int) -> list[tuple[Label, str]]:
    """Return the labels of a body, each with the key of its request.

    A body is one label or a list of labels. `key` is that of the request, by default its id;
    `event_time` is by default `now`, in ms since the epoch.

    Raises:
        InvalidCall: the body is not JSON, or one of them is not a valid label.
    """
    try:
        document = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidCall(f"the body is not JSON: {error}") from None
    documents = document if isinstance(document, list) else [document]
    if not 0 < len(documents) <= MAX_LABELS:
        raise InvalidCall(f"a call has 1 to {MAX_LABELS:,} labels, and this one {len(documents):,}")
    several = isinstance(document, list)
    return [_read(one, now, number if several else None) for number, one in enumerate(documents)]


def _read(document: Any, now: int, number: int | None) -> tuple[Label, str]:  # noqa: ANN401 - JSON
    place = "" if number is None else f"label {number}: "
    if not isinstance(document, dict):
        raise InvalidCall(f'{place}a label is an object such as {{"id": "...", "label": true}}')
    fields = {"event_time": now, **document}
    key = fields.pop("key", None)
    try:
        label = Label.model_validate(fields)
    except ValidationError as error:
        raise InvalidCall(f"{place}not a valid label: {describe(error, fields)}") from None
    if key is None:
        return label, label.id
    if not isinstance(key, str) or not 0 < len(key) <= MAX_ID_LENGTH:
        raise InvalidCall(f"{place}the key is not a text of 1 to {MAX_ID_LENGTH} characters")
    return label, key
