"""Encodes rows as requests, without validating them: the worker does, and answers each one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from modstream.models.schema.feature import Feature

MakeRequest = Callable[[str, Mapping[str, Any]], bytes]
"""Returns the request with an id for a row. Raises ValueError if no request can have the row."""

_encode = msgspec.json.Encoder(decimal_format="number").encode


def row_encoder(model: str, version: int | str, features: Sequence[Feature]) -> MakeRequest:
    """Return a function that makes the requests for rows by name.

    Values of other names are left out; those of missing ones are left to the worker, which refuses
    the row or fills them in. NaN is written as null: a missing value.
    """
    names = [feature.name for feature in features]
    integers = [feature.name for feature in features if feature.kind == "int"]

    def make(request_id: str, row: Mapping[str, Any]) -> bytes:
        values = {name: row[name] for name in names if name in row}
        for name in integers:
            # A column of integers in which some are missing is often read as one of floats.
            value = values.get(name)
            if type(value) is float and value.is_integer():
                values[name] = int(value)
        document = {"id": request_id, "features": values, "model": model, "version": version}
        try:
            return _encode(document)
        except (TypeError, UnicodeEncodeError, msgspec.MsgspecError) as error:
            raise ValueError(str(error)) from None

    return make
