"""The parameters of a call and of its outputs, which REST and gRPC have alike.

Parameters without a meaning here, such as `priority`, are ignored, as the protocol allows. Those
that ask for what the gateway does not have, such as shared memory, are refused.
"""

from collections.abc import Iterable, Mapping

from modstream.broker.wire.bounds import MAX_EVENT_TIME, MIN_EVENT_TIME
from modstream.broker.wire.identifiers import MAX_ID_LENGTH
from modstream.producers.gateway.protocol.errors import ProtocolError
from modstream.producers.gateway.protocol.infer_call import (
    NO_PARAMETERS,
    CallParameters,
    RequestedOutput,
)

Parameters = Mapping[str, object]
"""Parameters by name: texts, numbers and booleans, unless they are wrong."""

MAX_KEY_LENGTH = 1024
MAX_CLASSES = 10_000
MICROSECONDS = 1_000_000
MAX_TIMEOUT = 2**63 - 1
"""Maximum timeout in microseconds."""


def read_parameters(parameters: Parameters | None) -> CallParameters:
    """Read the parameters of a call.

    Raises:
        ProtocolError: a parameter is not as it must be, or is not supported.
    """
    if not parameters:
        return NO_PARAMETERS
    refuse_shared_memory("parameters", parameters)
    if parameters.get("sequence_id") or parameters.get("sequence_start"):
        raise ProtocolError(
            400, "parameters.sequence_id: models have no state, so sequences are not supported"
        )
    timeout = _integer(parameters, "timeout", 0, MAX_TIMEOUT)
    return CallParameters(
        timeout_seconds=timeout / MICROSECONDS if timeout else None,
        key=_key(parameters),
        event_time=_integer(parameters, "event_time", MIN_EVENT_TIME, MAX_EVENT_TIME),
        binary_outputs=read_flag("parameters", parameters, "binary_data_output") or False,
    )


def _integer(parameters: Parameters, name: str, low: int, high: int) -> int | None:
    value = parameters.get(name)
    if value is None:
        return None
    if type(value) is not int or not low <= value <= high:
        raise ProtocolError(400, f"parameters.{name}: must be an integer from {low} to {high}")
    return value


def _key(parameters: Parameters) -> str | None:
    key = parameters.get("key")
    if key is not None and not (isinstance(key, str) and 0 < len(key) <= MAX_KEY_LENGTH):
        raise ProtocolError(
            400, f"parameters.key: must be a text of 1 to {MAX_KEY_LENGTH} characters"
        )
    return key


def read_flag(place: str, parameters: Parameters, name: str) -> bool | None:
    """Return a parameter that is true or false, None if it is absent.

    Raises:
        ProtocolError: it is neither.
    """
    value = parameters.get(name)
    if value is not None and not isinstance(value, bool):
        raise ProtocolError(400, f"{place}.{name}: must be true or false")
    return value


def refuse_shared_memory(place: str, parameters: Parameters) -> None:
    """Raise if a tensor's data are not in the call.

    Raises:
        ProtocolError: a parameter names a region of shared memory.
    """
    name = next((name for name in parameters if name.startswith("shared_memory")), None)
    if name is not None:
        raise ProtocolError(
            400,
            f"{place}.{name}: shared memory is not supported, because workers run elsewhere; "
            "send the data with the call",
        )


def read_output(place: str, name: str, parameters: Parameters | None) -> RequestedOutput:
    """Read an output that the call names.

    Args:
        place: its place in the call, for errors.
        name: the output's name.
        parameters: its parameters.

    Raises:
        ProtocolError: a parameter is not as it must be, or is not supported.
    """
    if not parameters:
        return RequestedOutput(name)
    place = f"{place}.parameters"
    refuse_shared_memory(place, parameters)
    classes = parameters.get("classification", 0)
    if type(classes) is not int or not 0 <= classes <= MAX_CLASSES:
        raise ProtocolError(
            400, f"{place}.classification: must be a number of classes from 0 to {MAX_CLASSES}"
        )
    return RequestedOutput(name, read_flag(place, parameters, "binary_data"), classes)


def refuse_repeated_names(field: str, names: Iterable[str]) -> None:
    """Raise if two tensors have the same name.

    Raises:
        ProtocolError: they have.
    """
    seen: set[str] = set()
    for at, name in enumerate(names):
        if name in seen:
            raise ProtocolError(400, f"{field}[{at}].name: {shown(name)} is there twice")
        seen.add(name)


def read_id(client_id: str | None) -> str | None:
    """Return the caller's id, None if it has none.

    Raises:
        ProtocolError: it is too long.
    """
    if client_id and len(client_id) > MAX_ID_LENGTH:
        raise ProtocolError(400, f"id: must be a text of at most {MAX_ID_LENGTH} characters")
    return client_id or None


def shown(text: str) -> str:
    """Return a text of the caller in quotes, escaped, and cut if it is long."""
    return ascii(text if len(text) <= 100 else f"{text[:100]}...")
