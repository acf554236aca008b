"""A call for a prediction, read from JSON, raw tensors or gRPC, and its record's value.

The worker validates the values of tensors and answers typed errors, so they are not decoded here:
JSON stays JSON, and raw bytes follow it as they came. Only what the protocol says about the call is
checked.
"""

from typing import NamedTuple

import msgspec
from msgspec import Raw, Struct

_to_json = msgspec.json.Encoder().encode


class RequestedOutput(Struct, frozen=True, gc=False):
    """One output that the call names.

    `binary` says how REST answers it, None: like all of the call. `classes` is the number of
    classes that are answered instead of the values; 0: the values.
    """

    name: str
    binary: bool | None = None
    classes: int = 0


class EncodedRequest(NamedTuple):
    """The value of a request's record, and the length of its JSON if raw tensors follow it."""

    value: bytes
    json_length: int | None


class CallParameters(NamedTuple):
    """What the parameters of a call say.

    `timeout_seconds` is how long the caller waits, `key` the key of the record, which labels
    repeat,
    and `event_time` is in ms since the epoch. `binary_outputs` applies to the outputs that do not
    say otherwise.
    """

    timeout_seconds: float | None = None
    key: str | None = None
    event_time: int | None = None
    binary_outputs: bool = False


NO_PARAMETERS = CallParameters()


class InferCall(Struct, frozen=True):
    """A call for a prediction.

    Attributes:
        client_id: the caller's id, which the answer repeats; it need not be unique.
        inputs: the JSON of the list of tensors.
        raw: the raw bytes of tensors, in their order; None if no tensor is raw.
        outputs: the outputs to answer; empty: all of them.
        timeout_seconds: how long the caller waits, or None.
        key: the key of the record, or None.
        event_time: when the event happened in ms since the epoch, or None.
        binary_outputs: whether outputs are answered as raw bytes unless they say otherwise.
    """

    client_id: str | None
    inputs: bytes | Raw
    raw: tuple[bytes | memoryview, ...] | None = None
    outputs: tuple[RequestedOutput, ...] = ()
    timeout_seconds: float | None = None
    key: str | None = None
    event_time: int | None = None
    binary_outputs: bool = False

    def encode(
        self, request_id: str, model: str | None, version: int | str | None
    ) -> EncodedRequest:
        """Return the value of the request's record.

        Args:
            request_id: the id of the record, which must be unique.
            model: the model that answers; None: every model of the stream's route.
            version: its version or alias; None: its champion.
        """
        parts: list[bytes | memoryview | Raw] = [b'{"id":', _to_json(request_id)]
        if model is not None:
            parts += (b',"model":', _to_json(model))
        if version is not None:
            parts += (b',"version":', _to_json(version))
        if self.event_time is not None:
            parts.append(b',"event_time":%d' % self.event_time)
        parts += (b',"inputs":', self.inputs, b"}")
        document = b"".join(parts)
        if self.raw is None:
            return EncodedRequest(document, None)
        return EncodedRequest(b"".join((document, *self.raw)), len(document))
