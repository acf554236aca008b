"""What became of a call, for observers of a gateway."""

from collections.abc import Callable
from typing import NamedTuple

from modstream.broker.wire.records import Headers


class CallStats(NamedTuple):
    """A call for a prediction that ended.

    `outcome` is `prediction`, `worker_error`, `ticket`, or the code of the gateway's error. `model`
    is the one that replied, or empty. `trace` is the trace context of the call.
    """

    outcome: str
    model: str
    seconds: float
    trace: Headers


OnCall = Callable[[CallStats], None]


def ignore_call(_call: CallStats) -> None:
    """Do nothing: the default observer."""
